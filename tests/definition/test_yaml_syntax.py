"""YAML text to data: YAML 1.2's types, aliases within bounds."""

import pytest

from mainspring.definition import yaml
from mainspring.definition.yaml_syntax import parse, plain
from mainspring.records.errors import DefinitionError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("on", "on"), ("No", "No"), ("true", True), ("1e3", 1000.0), ("012", 12),
        ("0o17", 15), ("0x1F", 31), ("1_000", "1_000"), ("2024-01-02", "2024-01-02"),
        ("12:30:00", "12:30:00"), ("~", None), ("", None), (".5", 0.5), ("1.", 1.0), ("=", "="),
        ("0b11", "0b11"), ("'1'", "1"), ("!!str 1", "1"), ("-3", -3), ("+1.5e-3", 0.0015),
        ("<<", "<<"), ("null", None), ("NULL", None), ("nul", "nul"), ("|\n  a\n  b\n", "a\nb\n"),
    ],
)  # fmt: skip
def test_types_of_yaml_1_2(text, value):
    found = plain(parse(f"k: {text}", "x"))["k"]
    assert found == value
    assert type(found) is type(value)


def test_a_file_with_many_aliases_is_refused_quickly():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for n in range(1, 12):
        lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]")
    with pytest.raises(DefinitionError, match="more than 200,000 values"):
        yaml.load("\n".join(lines))


def test_aliases_are_followed():
    text = "pipeline: p\nsteps:\n  a: &a {run: 'x {inputs.i}', with: {i: 1}}\n  b: *a\n"
    assert [node.name for node in yaml.load(text).steps] == ["a", "b"]
