from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from sklearn.linear_model import LinearRegression

from mainspring.execution.differences import LISTED, Walk
from mainspring.records.verdicts import Comparison


def compared(recorded: Any, made: Any) -> Comparison:
    walk = Walk()
    walk.values(recorded, made, "")
    return walk.comparison()


def told(recorded: Any, made: Any) -> list[tuple[str, str]]:
    return [(change.place, change.what) for change in compared(recorded, made).changes]


@dataclass
class Point:
    x: float
    names: list[str]


class Plain:
    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)


class Slots:
    __slots__ = ("x",)

    def __init__(self, x: float) -> None:
        self.x = x


@pytest.mark.parametrize(
    "value",
    [
        1.5, "x", b"x", None, [1, "a"], {"a": [1.0]}, {1, 2}, np.arange(3), pd.Series([1, 2]),
        Point(1.0, ["a"]), pl.DataFrame({"a": [1]}), pa.table({"a": ["x"]}), (1, 2), float("nan"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_equal_values_have_no_differences(value: Any) -> None:
    import copy

    found = compared(value, copy.deepcopy(value))
    assert (found.count, found.numeric) == (0, False)


def test_numbers_at_every_depth() -> None:
    found = compared({"a": [1.0, {"b": 2.0}]}, {"a": [1.0, {"b": 2.5}]})
    assert found.numeric
    assert (found.absolute, found.relative, found.scaled) == (0.5, 0.25, 0.25)
    assert [change.place for change in found.changes] == ["['a'][1]['b']"]


def test_one_text_among_numbers_is_no_numeric_difference() -> None:
    found = compared({"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"})
    assert not found.numeric
    assert found.count == 2


def test_keys_elements_and_their_order() -> None:
    assert told({"a": 1}, {"b": 1}) == [("the value", "now without 'a' and with 'b'")]
    assert told({"a": 1, "b": 2}, {"b": 2, "a": 1}) == [
        ("the value", "the same keys in another order")
    ]
    assert told([1, 2], [1]) == [("the value", "2 elements became 1")]
    assert ("the value", "the same elements in another order") in told(["a", "b"], ["b", "a"])
    assert told({1, 2}, {2, 3}) == [("the value", "1 elements are gone, 1 are new")]


def test_frames_by_column() -> None:
    for frame in (pd.DataFrame, pl.DataFrame):
        one, other = (
            frame({"a": [1.0, 2.0], "b": ["x", "y"]}),
            frame({"a": [1.0, 2.5], "b": ["x", "z"]}),
        )
        found = compared(one, other)
        assert {change.place for change in found.changes} == {"column 'a'", "column 'b'"}
        assert told(one, frame({"a": [1.0, 2.0]})) == [
            ("the value", "its columns are without 'b', with nothing")
        ]
    index = pd.DataFrame({"a": [1.0]}, index=[3]), pd.DataFrame({"a": [1.0]}, index=[4])
    assert told(*index) == [("index", "[0]: 3 became 4")]
    assert told(pa.table({"a": [1, 2]}), pa.table({"a": [1, 3]})) == [
        ("column 'a'", "[1]: 2 became 3")
    ]


def test_arrays_by_shape_dtype_and_field() -> None:
    assert told(np.zeros(2), np.zeros(3)) == [("the value", "shape (2,) became (3,)")]
    assert told(np.zeros(2), np.zeros(2, "f4")) == [("the value", "float64 became float32")]
    record = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    other = record.copy()
    other["b"] = 3.0
    assert [place for place, _ in told(record, other)] == ["['b']"]


def test_sparse_matrices() -> None:
    one = scipy.sparse.eye(3).tocsr()
    assert compared(one, one * 2).numeric
    assert told(one, one[:, ::-1].tocsr()) == [("the value", "other elements are set")]


def test_models_and_objects_by_attribute() -> None:
    one = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    other = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
    assert {"intercept_", ".coef_"} & {place for place, _ in told(one, other)}
    assert told(Point(1.0, ["a"]), Point(2.0, ["a"])) == [(".x", "1.0 became 2.0")]
    assert told(Plain(a=1), Plain(b=1)) == [(".a", "is gone"), (".b", "is new")]
    assert told(Slots(1.0), Slots(2.0)) == [(".x", "1.0 became 2.0")]
    assert told(Plain(), Slots(1)) == [("the value", f"{__name__}.Plain became {__name__}.Slots")]


def test_texts_bytes_and_files(tmp_path: Path) -> None:
    lines = "\n".join(map(str, range(100)))
    assert told(lines, lines.replace("50", "fifty")) == [
        ("the value", "line 51: '50' became 'fifty'")
    ]
    assert told(bytes(100), bytes(99) + b"x") == [("the value", "other bytes from offset 99 on")]
    (tmp_path / "a").write_text("x\n")
    (tmp_path / "b").write_text("y\n")
    assert told(tmp_path / "a", tmp_path / "b") == [("the value", "line 1: 'x' became 'y'")]


def test_what_has_no_end_has_one() -> None:
    one: list[Any] = []
    other: list[Any] = []
    for _ in range(200):
        one, other = [one], [other]
    assert told(one, [*other, 1]) == [("the value", "1 elements became 2")]
    deep = told(one, other)
    assert len(deep) == 1
    assert deep[0][1] == "it lies too deep to be looked at"
    many = compared({str(i): i for i in range(100)}, {str(i): i + 1 for i in range(100)})
    assert (many.count, len(many.changes)) == (100, LISTED)


class Rude:
    def __init__(self, x: int) -> None:
        self.x = x

    def __getstate__(self) -> Any:
        return None

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError


def test_an_object_that_will_not_be_compared() -> None:
    assert told(Rude(1), Rude(2)) == [("the value", f"a {__name__}.Rude became a {__name__}.Rude")]


@pytest.mark.system("torch")
def test_tensors_and_state_dicts() -> None:
    import torch

    one = {"w": torch.tensor([1.0, 2.0]), "b": torch.tensor([1.0], dtype=torch.bfloat16)}
    other = {"w": torch.tensor([1.0, 2.5]), "b": torch.tensor([1.5], dtype=torch.bfloat16)}
    found = compared(one, other)
    assert found.numeric
    assert {change.place for change in found.changes} == {"['w']", "['b']"}
    layer = torch.nn.Linear(2, 2)
    moved = torch.nn.Linear(2, 2)
    moved.load_state_dict({k: v + 1 for k, v in layer.state_dict().items()})
    assert {place for place, _ in told(layer, moved)} == {".weight", ".bias"}
    assert compared(torch.eye(2).to_sparse(), (torch.eye(2) * 2).to_sparse()).numeric
