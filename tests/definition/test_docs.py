"""The code in the documentation of pipelines works as it stands."""

import re
import sys
from pathlib import Path

import pytest

from mainspring.definition import yaml
from mainspring.definition.options import OPTION_NAMES
from mainspring.definition.pipeline import Pipeline
from mainspring.definition.schema import KINDS, keys_of
from mainspring.definition.schema import Pipeline as Document
from mainspring.records.expressions import FUNCTIONS

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


@pytest.fixture
def guide(project):
    return project("\n\n".join(blocks("guide/pipelines.md", "python")), prelude="")


def test_every_pipeline_of_the_guide_can_be_traced(guide):
    found = {name: one for name, one in vars(guide).items() if isinstance(one, Pipeline)}
    assert len(found) >= 8
    for one in found.values():
        assert yaml.load(yaml.dump(one.spec)).name == one.name


def test_the_file_of_the_reference_can_be_loaded(guide, monkeypatch):
    monkeypatch.setitem(sys.modules, "steps", guide)
    (text,) = blocks("reference/pipeline-file.md", "yaml")
    assert [node.name for node in yaml.load(text).steps] == [
        "load", "split", "train", "evaluate", "accuracy",
    ]  # fmt: skip


def test_every_option_key_and_function_is_documented():
    python = (DOCS / "reference/python.md").read_text()
    assert [name for name in OPTION_NAMES if f"`{name}`" not in python] == []
    file = (DOCS / "reference/pipeline-file.md").read_text()
    keys = {*keys_of(Document), *KINDS}
    assert [key for key in sorted(keys) if f"`{key}`" not in file] == []
    expressions = (DOCS / "reference/expressions.md").read_text()
    assert " ".join(FUNCTIONS) in expressions
