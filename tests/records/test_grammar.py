"""What an expression may contain, and how large it may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.records import expressions as ex
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import evaluate, parse


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("steps", "`steps` needs a name"),
        ("steps[0]", "`steps` needs a name"),
        ("foo.bar", "unknown name `foo`"),
        ("__import__('os')", "unknown function `__import__`"),
        ("steps.a.__class__", "private"),
        ("steps.a._x", "private"),
        ("len", "`len` is a function"),
        ("len(x=1)", "named arguments"),
        ("steps.a()", "only functions can be called"),
        ("steps.a.upper()", "only functions can be called"),
        ("f'{1}'", "f-string"),
        ("[x for x in steps.a]", "comprehension"),
        ("lambda: 1", "lambda"),
        ("b'a'", "bytes values are not JSON"),
        ("1j", "complex values are not JSON"),
        ("...", "ellipsis values are not JSON"),
        ("{1, 2}", "a set"),
        ("steps.a & steps.b", "write `and`"),
        ("~steps.a", "write `not`"),
        ("max(*steps.a)", "not allowed"),
        ("{**steps.a}", r"`\*\*` is not allowed"),
        ("(x := 1)", ":= is not allowed"),
        ("1 +", "invalid syntax"),
        ("1) + (2", "unmatched"),
        ("a\0b", "null|NUL"),
        ("1" * 5000, "4300"),
        ("-" * 19_000 + "1", "nested"),
        ("+".join(["1"] * 5000), "nested"),
        ("(" * 300 + "1" + ")" * 300, "nested"),
        ("[" * 150 + "]" * 150, "nested"),
        ("steps.a }} and ${{ steps.b", "must be the whole value"),
    ],
)
def test_refused_with_place(text, words):
    with pytest.raises(DefinitionError, match=words) as caught:
        parse(text, where="pipe.yaml:3")
    assert caught.value.where == "pipe.yaml:3"
    assert len(str(caught.value)) < 800


def test_limits():
    with pytest.raises(DefinitionError, match="longer than 20,000"):
        parse("1" + " " * 20_000, limit=ex.HAND_LIMIT)
    wide = "[" + ", ".join(["steps.a"] * 30_000) + "]"
    assert len(ex.references(parse(wide))) == 1
    with pytest.raises(DefinitionError, match="more than 100,000 parts"):
        parse("[" + "1," * 100_001 + "]")


@given(st.text(max_size=30))
def test_no_text_crashes_the_parser(text):
    try:
        made = parse(text)
    except DefinitionError:
        return
    assert parse(made.text) == made
    try:
        evaluate(made, lambda *_: {"a": 1})
    except DefinitionError:
        return
