from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from mainspring.records.errors import SerializationError
from mainspring.storage.serializers.hints import element_hints, fit, format_for, is_json


class Colour(enum.Enum):
    RED = 1


class Info(TypedDict):
    name: str
    size: int


class Split(NamedTuple):
    x: np.ndarray
    n: int


@dataclasses.dataclass
class Scores:
    accuracy: float
    parts: dict[str, list[float]]


@dataclasses.dataclass
class Tree:
    children: list[Tree]


class Own(BaseEstimator):
    pass


UserId = NewType("UserId", int)


@pytest.mark.parametrize(
    ("hint", "format_name"),
    [
        (int, "json"),
        (float, "json"),
        (bool, "json"),
        (type(None), "json"),
        (Colour, "json"),
        (UserId, "json"),
        (str, "text"),
        (bytes, "bytes"),
        (Literal["a", "b"], "text"),
        (Literal["a", 1], "json"),
        (Optional[float], "json"),  # noqa: UP045
        (str | None, "json"),
        (Annotated[float, "unit"], "json"),
        (list[int], "json"),
        (tuple[int, ...], "json"),
        (dict[str, list[float]], "json"),
        (Sequence[str], "json"),
        (Info, "json"),
        (Scores, "json"),
        (np.ndarray, "npy"),
        (npt.NDArray[np.float32], "npy"),
        (pd.DataFrame, "pandas"),
        (pd.Series, "pandas"),
        (pd.DatetimeIndex, "pandas"),
        (LogisticRegression, "skops"),
        (BaseEstimator, "skops"),
        (Own, "pickle"),
        (list[np.ndarray], "list"),
        (tuple[np.ndarray, int], "list"),
        (dict[str, np.ndarray], "dict"),
        (Mapping[str, pd.DataFrame], "dict"),
        (Path, None),
        (list[Path], None),
        (list, None),
        (dict[str, Any], None),
        (Any, None),
        (object, None),
        (None, None),
        ("np.ndarray", None),
        (Callable[[], int], None),
        (np.ndarray | None, None),
        (Split, None),
        (Tree, None),
    ],
)
def test_the_format_that_an_annotation_decides(hint: object, format_name: str | None):
    assert format_for(hint) == format_name
    assert is_json(hint) == (format_name in ("json", "text"))


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (np.float32(0.5), float, 0.5),
        (np.int64(3), float, 3.0),
        (3, float, 3.0),
        (3, float | None, 3.0),
        (None, float | None, None),
        (np.int8(3), int, 3),
        (np.bool_(True), bool, True),
        (np.str_("x"), str, "x"),
        (np.array(2.5), float, 2.5),
        (np.float64(1.5), None, 1.5),
        (np.float64(1.5), Any, 1.5),
        (1, complex, 1),
        (5, UserId, 5),
        ({"name": "x"}, Info, {"name": "x"}),
        ([1], Sequence[int], [1]),
    ],
)
def test_a_value_is_made_to_fit(value: object, hint: object, expected: object):
    found = fit(value, hint)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (None, float),
        (0.5, int),
        (True, float),
        (2**60 + 1, float),
        ("1", int),
        ([1.0], np.ndarray),
        (LogisticRegression(), pd.DataFrame),
        ("text", Path),
        ([1], dict[str, int]),
    ],
)
def test_a_value_of_another_type_is_refused(value: object, hint: object):
    with pytest.raises(SerializationError, match="is declared") as caught:
        fit(value, hint)
    assert caught.value.hint


def test_a_zero_dimensional_array_stays_an_array_unless_a_number_is_declared():
    assert isinstance(fit(np.array(1.0), None), np.ndarray)
    assert isinstance(fit(np.array(1.0), np.ndarray), np.ndarray)


@pytest.mark.parametrize(
    ("hint", "count", "expected"),
    [
        (list[int], 2, [int, int]),
        (tuple[int, str], 2, [int, str]),
        (tuple[int, ...], 3, [int, int, int]),
        (tuple[int, str], 3, [None, None, None]),
        (dict[str, float], 2, [float, float]),
        (list, 1, [None]),
        (None, 1, [None]),
        (Annotated[list[int], 1], 1, [int]),
    ],
)
def test_annotations_of_elements(hint: object, count: int, expected: list[object]):
    assert element_hints(hint, count) == expected
