"""Annotations: as text and back, what fits where, and JSON values given their Python form."""

import typing
from collections import abc
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Optional, Protocol, TypedDict, TypeVar, Union

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from mainspring.definition import types
from mainspring.records.errors import DefinitionError

T = TypeVar("T")


Age = typing.NewType("Age", int)


class Readable(Protocol):
    def read(self) -> bytes: ...


@dataclass
class Scores:
    accuracy: float
    label: str = ""


class Point(NamedTuple):
    x: int
    y: int


class Table(TypedDict):
    rows: int


class Loose(TypedDict, total=False):
    rows: int


TEXTS = [
    (Any, "any"),
    (None, "None"),
    (type(None), "None"),
    (float, "float"),
    (object, "object"),
    (list, "list"),
    (list[float], "list[float]"),
    (dict[str, list[int]], "dict[str, list[int]]"),
    (tuple[int, ...], "tuple[int, ...]"),
    (Optional[int], "int | None"),  # noqa: UP045
    (Union[int, str], "int | str"),  # noqa: UP007
    (int | str | None, "int | str | None"),
    (Literal["a", 1, None], "Literal['a', 1, None]"),
    (Path, "pathlib.Path"),
    (np.ndarray, "numpy.ndarray"),
    (NDArray[np.float64], "numpy.ndarray"),
    (abc.Sequence[int], "collections.abc.Sequence[int]"),
    (typing.Annotated[int, "x"], "int"),
    (Age, "int"),
]


@pytest.mark.parametrize(("annotation", "text"), TEXTS)
def test_text(annotation, text):
    assert types.text(annotation) == text


@pytest.mark.parametrize("text", [text for _, text in TEXTS])
def test_text_is_read_back(text):
    assert types.text(types.read(text)) == text


@pytest.mark.parametrize("annotation", [T, abc.Callable[[int], str], ArrayLike, Readable])
def test_odd_annotations_have_a_text(annotation):
    assert types.text(annotation)


@pytest.mark.parametrize(
    ("text", "hint"),
    [("flaot", "`float`"), ("Str", "`str`"), ("1 + 2", "write"), ("list[", "write"), ("", "write")],
)
def test_what_is_no_type(text, hint):
    with pytest.raises(DefinitionError) as caught:
        types.read(text, where="p.yaml:3")
    assert caught.value.where == "p.yaml:3"
    assert hint in (caught.value.hint or "")


def test_unknown_classes_stay_text():
    assert types.text(types.read("some.module.Class")) == "some.module.Class"
    assert types.text(types.read("Frame")) == "Frame"


def test_named_parts():
    assert types.fields_of(Scores) == {"accuracy": float, "label": str}
    assert types.fields_of(Point) == {"x": int, "y": int}
    assert types.fields_of(Table) == {"rows": int}
    assert types.fields_of(Loose) is None
    assert types.fields_of(dict) is None
    assert types.fields_of(tuple) is None
    assert types.tuple_parts(tuple[int, str]) == [int, str]
    assert types.tuple_parts(tuple[int, ...]) is None
    assert types.tuple_parts(tuple) is None


def test_annotations_that_can_not_be_resolved_fail_no_other():
    found = types.resolve({"a": "Missing", "b": "list[int]", "c": "int |", "d": float}, {})
    assert found == {
        "a": types.Unresolved("Missing"), "b": list[int], "c": types.Unresolved("int |"),
        "d": float,
    }  # fmt: skip
    assert types.is_unknown(found["a"])
