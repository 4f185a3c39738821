"""What fits where, and JSON values given their Python form."""

import enum
import typing
from collections import abc
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, Protocol, TypedDict, TypeVar

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from mainspring.definition import types
from mainspring.definition.assignability import accepts, assignable, is_listlike, overlaps, revive

T = TypeVar("T")


Age = typing.NewType("Age", int)


class Base: ...


class Child(Base): ...


class Readable(Protocol):
    def read(self) -> bytes: ...


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


@dataclass
class Scores:
    accuracy: float
    label: str = ""


class Point(NamedTuple):
    x: int
    y: int


class Table(TypedDict):
    rows: int


GOOD = [
    (int, float), (bool, int), (bool, float), (Child, Base), (int, int | str), (int | str, int),
    (float, float | None), (None, float | None), (list[int], list[float]), (list[Any], list[int]),
    (list, list[int]), (list[int], list), (list[int], abc.Sequence[float]),
    (tuple[int, int], tuple[int, ...]), (tuple[int, ...], abc.Iterable[int]),
    (tuple[int, str], tuple[float, str]), (dict[str, int], abc.Mapping[str, float]),
    (dict[str, int], dict), (NDArray[np.float64], np.ndarray), (np.ndarray, NDArray[np.int64]),
    (np.ndarray, ArrayLike), (np.float64, float), (np.int64, int), (Any, int), (int, Any),
    (Base, Readable), (int, T), (object, int), (int, object), (Table, dict), (dict, Table),
    (Point, tuple), (Literal["a"], str), (str, Literal["a"]), (Literal["a", "b"], Literal["b"]),
    (types.Unresolved("X"), int), (int, types.Unresolved("X")), (Age, int), (int, Age),
    (str, abc.Sequence[str]), (type(None), None), (typing.List[int], list[int]),  # noqa: UP006
    (abc.Callable[[int], str], abc.Callable), (Child | None, Base), (tuple[int, str], list | tuple),
]  # fmt: skip


BAD = [
    (float, int), (str, int), (int, str), (int, bool), (Base, Child), (float, str | None),
    (None, float), (list[str], list[int]), (list[int], dict), (list[int], tuple[int, ...]),
    (tuple[int, str], tuple[int]), (tuple[int, str], tuple[str, int]),
    (tuple[int, str], tuple[int, ...]) if False else (tuple[str, str], tuple[int, ...]),
    (dict[str, str], dict[str, int]), (np.ndarray, list), (list, np.ndarray),
    (np.ndarray, float), (float, np.ndarray), (Literal["a"], Literal["b"]), (Literal["a"], int),
    (int, Literal["a"]), (list[int], abc.Mapping), (Scores, dict), (int, list[int]), (bytes, str),
    (int | str, float | None) if False else (str | bytes, float | None), (Table, list),
    (list[Scores], list[Point]), (int, Table),
]  # fmt: skip


@pytest.mark.parametrize(("source", "target"), GOOD)
def test_assignable(source, target):
    assert assignable(source, target)


@pytest.mark.parametrize(("source", "target"), BAD)
def test_not_assignable(source, target):
    assert not assignable(source, target)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (1, float), (True, int), (None, None), (None, int | None), ("a", Path), ("red", Colour),
        (2, Colour), ([1, 2], list[float]), ([1, "a"], tuple[int, str]), ([1, 2], tuple[int, ...]),
        ({"a": 1}, dict[str, float]), ({"rows": 1}, Table), ([], list[int]), ({}, dict[int, int]),
        ("a", Literal["a"]), (1, Any), ([1], abc.Sequence[int]), ([1], abc.Iterable),
        ({"a": [1]}, abc.Mapping[str, list[int]]), (1, T), ("x", Readable), (1, Age),
    ],
)  # fmt: skip
def test_accepts(value, annotation):
    assert accepts(value, annotation)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        ("a", float), (1.5, int), (None, int), (1, Path), ("green", Colour), (True, Literal[1]),
        ([1, "a"], list[int]), ([1], tuple[int, str]), ([1], dict), ({"a": "b"}, dict[str, int]),
        ({"a": 1}, dict[int, int]), ({"a": 1}, list), ({"row": 1}, Table), ({}, Table),
        ("b", Literal["a"]), (1, str), ([1], np.ndarray), (1, Scores), ({"accuracy": 1}, Scores),
        ([1, 2], Point), ([1], Path), (1, Base), ("a", bytes), (1, list[int]), ("a", list[str]),
    ],
)  # fmt: skip
def test_does_not_accept(value, annotation):
    assert not accepts(value, annotation)


@pytest.mark.parametrize(
    ("value", "annotation", "revived"),
    [
        ("a/b", Path, Path("a/b")),
        ("a/b", PurePosixPath, PurePosixPath("a/b")),
        ("a/b", Path | None, Path("a/b")),
        ("a/b", str | Path, "a/b"),
        (None, Path | None, None),
        ("red", Colour, Colour.RED),
        ([1, ["red"]], tuple[int, list[Colour]], (1, [Colour.RED])),
        ([1, 2], tuple[int, ...], (1, 2)),
        ([1, 2], tuple, (1, 2)),
        ([1, 2], list[int], [1, 2]),
        ({"a": "b"}, dict[str, Path], {"a": Path("b")}),
        ([1, 2], Any, [1, 2]),
        (1, float, 1),
    ],
)
def test_revive(value, annotation, revived):
    found = revive(value, annotation)
    assert found == revived
    assert type(found) is type(revived)


@pytest.mark.parametrize(
    ("annotation", "listlike"),
    [
        (list, True), (list[int], True), (tuple[int, str], True), (Any, True), (int | list, True),
        (abc.Sequence[int], True), (abc.Iterable, True), (int, False), (str, False), (dict, False),
        (np.ndarray, False), (abc.Mapping[str, int], False), (Scores, False),
    ],
)  # fmt: skip
def test_listlike(annotation, listlike):
    assert is_listlike(annotation) is listlike


@pytest.mark.parametrize(
    ("left", "right", "may"),
    [
        (Literal["a", "b"], Literal["b"], True), (Literal["a"], Literal["c"], False),
        (bool, Literal[5], False), (bool, Literal[1], True), (bool, str, False), (int, float, True),
        (Colour, Literal["red"], True), (Colour, Literal["green"], False), (float, None, False),
        (float | None, None, True), (Any, None, True), (str, Literal["x"], True),
        (list[int], list[str], False), (int, Literal["1"], False),
    ],
)  # fmt: skip
def test_overlaps(left, right, may):
    assert overlaps(left, right) is may
    assert overlaps(right, left) is may
