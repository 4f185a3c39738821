"""A step on its own: ports, outputs, options, splitting what it returned."""

import inspect
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.definition.steps import (
    HERE,
    Mode,
    Pair,
    decorated,
    files,
    given_name,
    many,
    nothing,
    point,
    renamed,
    row,
    train,
    two,
    untyped,
)

from mainspring.definition.step import StepDefinition, load_step
from mainspring.records.errors import DefinitionError


def test_a_step_looks_like_its_function():
    assert train.__name__ == "train"
    assert train.__doc__ == "Train."
    assert train([1.0], c=0.5) == Pair(1, "0.5")
    assert str(inspect.signature(train)) == str(inspect.signature(train.function))
    assert repr(train) == f"<step {HERE}:train>"


@pytest.mark.parametrize(
    ("definition", "outputs", "bundle"),
    [
        (train, {"left": int, "right": str, "made": bool}, f"{HERE}:Pair"),
        (two, {"0": int, "1": str}, "tuple"),
        (many, {"result": tuple[int, ...]}, None),
        (point, {"x": int, "y": int}, f"{HERE}:Point"),
        (row, {"a": int, "b": int}, f"{HERE}:Row"),
        (nothing, {"result": type(None)}, None),
        (untyped, {"result": Any}, None),
    ],
)
def test_outputs(definition, outputs, bundle):
    assert definition.outputs == outputs
    assert definition.bundle == bundle


def test_invoke_gives_literals_the_form_that_their_annotation_asks_for():
    given = {"path": "a/b", "mode": "fast", "sizes": [1, 2], "other": [1]}
    assert files.invoke(given, literals=given) == (Path("a/b"), Mode.FAST, (1, 2), [1])
    assert files.invoke(given) == ("a/b", "fast", [1, 2], [1])
    assert train.invoke({"c": 2.0, "data": [1.0]}) == Pair(1, "2.0")


def test_map_outside_of_a_pipeline():
    assert decorated.map([1, 2], [3, 4]) == [4, 6]
    assert decorated.map([1, 2], y=10) == [11, 12]


def test_uses_and_load():
    assert train.uses == f"{HERE}:train"
    assert renamed.uses == f"{HERE}:renamed"
    assert given_name.uses == f"{HERE}:given_name"
    assert train.options(cpus=1).uses == f"{HERE}:train"
    assert load_step(train.uses) is train
    with pytest.raises(DefinitionError, match="no step `trian`") as caught:
        load_step(f"{HERE}:trian")
    assert caught.value.hint == "did you mean `train`?"
    with pytest.raises(DefinitionError, match="is a function, not a step") as caught:
        load_step(f"{HERE}:timed")
    assert caught.value.hint == "put @step on it"


def test_a_script_is_named_by_its_file(monkeypatch, tmp_path):
    module = type(sys)("__main__")
    module.__file__ = str(tmp_path / "work.py")
    module.__spec__ = None
    namespace = module.__dict__
    monkeypatch.setitem(sys.modules, "__main__", module)
    exec("from mainspring import step\n@step\ndef f(): ...\n", namespace)
    assert isinstance(namespace["f"], StepDefinition)
    assert namespace["f"].uses == "work:f"
