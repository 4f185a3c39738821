"""`Dataset` and `Model` in pipelines: how they are written, and where they fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.definition.conftest import PRELUDE, traced, without_places

from mainspring import Dataset, Model, step
from mainspring.definition import yaml
from mainspring.definition.sources import Sourced, table_of
from mainspring.records.errors import DefinitionError


@step
def take_path(path: Path) -> int: ...


IMPORTS = "from mainspring import Dataset, Model\nimport pandas as pd\nimport polars, pyarrow\n"
STEPS = (
    IMPORTS
    + """
@step
def frame(x: pd.DataFrame) -> float: ...
@step
def table(x: pyarrow.Table | None, y: polars.DataFrame | None = None) -> float: ...
@step
def paths(xs: list, y: Path | None = None) -> float: ...
@pipeline
def prepared(raw: Dataset, model: Path, other=None):
    return take_path(raw), take_path(model)
"""
)


def body(project, text: str):
    return traced(project, text, prelude=PRELUDE + STEPS)


def test_a_source_is_an_expression(project):
    found = body(
        project,
        "take_path(Dataset('digits'))\ntake_path(Dataset('digits@3'))\n"
        "take_path(path=Dataset('my-data', version=2))\nuntyped(Model('bert@prod'), Model('b'))\n"
        "paths([Dataset('a'), Model('b@v1')], y=Dataset('c'))\n"
        "frame(Dataset('points'))\ntable(Dataset('points'), y=Dataset('points'))\n"
        "prepared(Dataset('digits'), model=Model('bert'), other={'k': Dataset('z')})",
    )
    values = [value for node in found.values() for value in node.bindings.values()]
    assert values == [
        "${{ datasets.digits }}",
        "${{ datasets['digits@v3'] }}",
        "${{ datasets['my-data@v2'] }}",
        "${{ models['bert@prod'] }}",
        "${{ models.b }}",
        "${{ [datasets.a, models['b@v1']] }}",
        "${{ datasets.c }}",
        "${{ datasets.points }}",
        "${{ datasets.points }}",
        "${{ datasets.points }}",
        "${{ datasets.digits }}",
        "${{ models.bert }}",
        "${{ {'k': datasets.z} }}",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("number(Dataset('digits'))", "is int, but `datasets.digits` is mainspring.Dataset"),
        ("take_names(Dataset('digits'))", r"is list\[str\], but `datasets.digits`"),
        ("number(Model('bert'))", "is int, but `models.bert` is mainspring.Model"),
        ("report(Dataset('digits'))", "but `datasets.digits` is mainspring.Dataset"),
        ("take_path.map(Dataset('digits'))", "is mapped over `datasets.digits`"),
        ("untyped(number() + Dataset('digits'))", "not JSON data"),
        ("untyped(number() == Dataset('digits'))", "not JSON data"),
        ("with when(Dataset('digits')):\n    number()", "condition|when"),
        ("take_path(Dataset('no name'))", "'no name' is no name of a dataset"),
        ("take_path(Dataset('digits@prod'))", "no version"),
        ("take_path(Dataset(3))", "a dataset's name is 3"),
        ("prepared('digits', model=Model('m'))", "is mainspring.Dataset, but 'digits' is str"),
    ],
)
def test_where_a_source_does_not_fit(project, text, words):
    with pytest.raises(DefinitionError, match=words) as caught:
        body(project, text)
    assert caught.value.where is not None


def test_a_step_is_not_annotated_as_a_source(project):
    with pytest.raises(DefinitionError, match="input `raw` of step `wrong` is annotated") as caught:
        traced(
            project, "wrong(Dataset('digits'))",
            prelude=PRELUDE + IMPORTS + "@step\ndef wrong(raw: Dataset): ...\n",
        )  # fmt: skip
    assert "pathlib.Path" in str(caught.value.hint)


def test_versions_are_not_chosen_for_a_call_inside(project):
    with pytest.raises(DefinitionError, match="chooses versions for a run"):
        body(project, "prepared.using(data={'digits': 1})(Dataset('digits'), model=Model('m'))")


YAML = """\
pipeline: p
steps:
  a: {uses: "tests.definition.test_sources:take_path", with: {path: "${{ datasets.digits }}"}}
  b: {uses: "tests.definition.test_sources:take_path", with: {path: "${{ datasets['digits@3'] }}"}}
  c: {run: "ls {inputs.x} {inputs.y}", with: {x: "${{ models['bert@prod'] }}", y: "${{ datasets['a-b'] }}"}}
outputs: {data: "${{ datasets.digits }}"}
"""  # noqa: E501


def test_yaml_says_the_same_and_is_written_back():
    spec = yaml.load(YAML)
    values = [value for node in spec.steps for value in node.bindings.values()]
    assert values == [
        "${{ datasets.digits }}",
        "${{ datasets['digits@v3'] }}",
        "${{ models['bert@prod'] }}",
        "${{ datasets['a-b'] }}",
    ]
    assert spec.outputs == {"data": "${{ datasets.digits }}"}
    assert without_places(yaml.load(yaml.dump(spec))) == without_places(spec)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("datasets", "`datasets` needs a name"),
        ("datasets['no name']", "is no name of a dataset"),
        ("datasets['digits@prod']", "is no version"),
        ("datasets.digits.v3", "it has no `v3` here"),
        ("models.bert[0]", "it has no `0` here"),
        ("len(datasets.digits)", "not JSON data"),
        ("dataset.digits", "did you mean `datasets`"),
    ],
)
def test_faults_in_yaml_have_their_line(expression, words):
    text = YAML.replace("datasets.digits }", f"{expression} }}", 1)
    with pytest.raises(DefinitionError) as caught:
        yaml.load(text, name="p.yaml")
    assert words.replace("\\", "") in str(caught.value).replace("\n  hint: ", " ")
    assert str(caught.value.where).startswith("p.yaml:3")


def test_outside_of_a_pipeline_a_source_is_a_plain_value():
    assert repr(Dataset("digits", version=3)) == "Dataset('digits@v3')"
    assert Dataset("digits") == Dataset("digits") != Model("digits")
    assert len({Dataset("digits"), Dataset("digits@v1")}) == 2


def test_nothing_is_opened_where_it_would_not_be_recorded(monkeypatch):
    monkeypatch.setattr(Sourced, "forbidden", "a worker was inside a step")
    with pytest.raises(DefinitionError, match="was opened while a worker was inside") as caught:
        Dataset("digits").path()
    assert "as an input" in str(caught.value.hint)


def test_tables_are_known_by_their_class():
    import pandas

    assert table_of(pandas.DataFrame) == "pandas.DataFrame"
    assert table_of(int | pandas.DataFrame) == "pandas.DataFrame"
    assert table_of(int) is None
