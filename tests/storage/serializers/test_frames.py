from __future__ import annotations

import contextlib
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.records.errors import MainspringError, SerializationError
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers.registry import dump, load, preview

ROWS = 6
COLUMNS: dict[str, Any] = {
    "int": np.arange(ROWS),
    "float": [1.0, np.nan, -0.0, np.inf, 5, 6],
    "bool": [True, False] * 3,
    "complex": np.arange(ROWS) * 1j,
    "text": ["a", None, "ü", "", "x\0y", "🙂"],
    "string": pd.array(["a", None, "b", "", "d", "e"], dtype="string"),
    "object": pd.Series([1, "a", None, np.nan, (1, 2), [3]], dtype=object),
    "missing": pd.Series([pd.NA, pd.NaT, None, decimal.Decimal("1.10"), b"x", 1], dtype=object),
    "category": pd.Categorical(["u", "v", None, "u", "u", "v"], ["v", "u", "w"], ordered=True),
    "numbers": pd.Categorical([3, 1, 2, 3, 1, 2]),
    "day": pd.date_range("2024", periods=ROWS, freq="D"),
    "second": pd.date_range("2024", periods=ROWS, freq="h").as_unit("s"),
    "berlin": pd.date_range("2024-10-26", periods=ROWS, freq="12h", tz="Europe/Berlin"),
    "offset": pd.date_range("2024", periods=ROWS, freq="D", tz="UTC+01:00"),
    "delta": pd.to_timedelta([1, 2, None, 4, 5, 6], unit="s"),
    "Int64": pd.array([1, None, 3, 4, 5, -(2**60)], dtype="Int64"),
    "UInt8": pd.array([1, None, 3, 4, 5, 255], dtype="UInt8"),
    "Float32": pd.array([1, None, 3.5, 4, 5, 6], dtype="Float32"),
    "boolean": pd.array([True, None, False] * 2, dtype="boolean"),
    "month": pd.period_range("2024-01", periods=ROWS, freq="M"),
    "bins": pd.cut(np.arange(ROWS) * 1.0, 3),
    "interval": pd.interval_range(0, ROWS, closed="left"),
}
FRAME = pd.DataFrame(COLUMNS)


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> LocalBlobs:
    return LocalBlobs(tmp_path_factory.mktemp("frames"))


def assert_same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, check_exact=True, check_column_type=True)
        assert_same(a.index, b.index)
        assert_same(a.columns, b.columns)
    elif isinstance(a, pd.Series):
        pd.testing.assert_series_equal(a, b, check_exact=True, check_freq=True)
        assert_same(a.index, b.index)
    else:
        pd.testing.assert_index_equal(a, b, exact=True, check_exact=True)
        assert getattr(a, "freq", None) == getattr(b, "freq", None)


@pytest.mark.parametrize("column", COLUMNS)
def test_every_dtype_comes_back(blobs: LocalBlobs, column: str):
    value = FRAME[column]
    ref = dump(value, None, blobs)
    assert (ref.format, ref.data_only) == ("pandas", True)
    again: Any = load(ref, blobs)
    assert_same(value, again)
    for a, b in zip(value, again, strict=True):
        assert type(a) is type(b)
    assert dump(again, None, blobs) == ref
    if column not in ("object", "missing"):
        assert_same(pd.Index(value), load(dump(pd.Index(value), None, blobs), blobs))


VALUES: dict[str, Any] = {
    "all": FRAME,
    "index of texts": FRAME.set_index("text"),
    "index of times": FRAME.set_index("berlin"),
    "two levels": FRAME.set_index(["string", "int"]),
    "every second row": FRAME.iloc[::2],
    "no rows": FRAME.iloc[:0],
    "nothing": pd.DataFrame(),
    "rows only": pd.DataFrame(index=range(3)),
    "columns only": pd.DataFrame(columns=["a", 1]),
    "one block": pd.DataFrame(np.random.default_rng(0).random((4, 3)), columns=list("abc")),
    "levels of columns": pd.DataFrame(
        np.ones((2, 3), np.float32),
        columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["k", None]),
    ),
    "the same name twice": FRAME[["int", "int", "text"]],
    "mixed names": pd.DataFrame({1: [1, 2], "x": ["p", "q"], (1, "y"): [0.5, 1]}),
    "grouped": FRAME.groupby("bool")[["int", "float"]].mean(),
    "pivot": FRAME.pivot_table(index="bool", columns="text", values="int"),
    "freq": pd.DataFrame({"x": range(3)}, index=pd.date_range("2024", periods=3, freq="MS")),
    "series named by a tuple": pd.Series([1, 2], name=("a", 1)),
    "empty objects": pd.Index([], dtype=object),
    "empty texts": pd.Series([], dtype="str"),
    "range": pd.RangeIndex(0, 10, 3, name="r"),
    "deltas": pd.timedelta_range("1h", periods=3),
    "categories": pd.CategoricalIndex(["a", "b", "a"]),
}


@pytest.mark.parametrize("name", VALUES)
def test_every_shape_comes_back(blobs: LocalBlobs, name: str):
    value = VALUES[name]
    ref = dump(value, None, blobs)
    again = load(ref, blobs)
    assert_same(value, again)
    assert dump(again, None, blobs) == ref
    assert preview(ref, blobs)


cells = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text("abü", max_size=3)


@given(st.lists(st.lists(cells, min_size=3, max_size=3), max_size=5))
def test_frames_of_anything_come_back(blobs: LocalBlobs, rows: list[list[Any]]):
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    assert_same(frame, load(dump(frame, None, blobs), blobs))


def test_the_layout_in_memory_does_not_show(blobs: LocalBlobs):
    numbers = np.arange(12.0).reshape(4, 3)
    by_row = pd.DataFrame(numbers, columns=list("abc"))
    by_column = pd.DataFrame({name: numbers[:, at].copy() for at, name in enumerate("abc")})
    assert dump(by_row, None, blobs) == dump(by_column, None, blobs)


def test_values_under_missing_ones_do_not_show(blobs: LocalBlobs):
    values = [
        pd.Series(pd.arrays.IntegerArray(np.array([1, hidden]), np.array([False, True])))
        for hidden in (5, 6)
    ]
    assert dump(values[0], None, blobs) == dump(values[1], None, blobs)


def test_a_large_frame_is_mapped(blobs: LocalBlobs):
    frame = pd.DataFrame(np.random.default_rng(0).random((1 << 16, 4)), columns=list("abcd"))
    ref = dump(frame, pd.DataFrame, blobs)
    again: Any = load(ref, blobs)
    assert not again.to_numpy(copy=False).flags.owndata
    again.iloc[0, 0] = -1.0
    assert_same(frame, load(ref, blobs))


class Special(pd.DataFrame):
    pass


@pytest.mark.parametrize(
    "value",
    [
        pd.Series(pd.arrays.SparseArray([0, 0, 1])),
        pd.Series([object()]),
        pd.Series(["\ud800"], dtype=object),
        Special({"a": [1]}),
        pd.DataFrame({"a": [1]}, index=pd.Index([object()])),
    ],
)
def test_what_has_no_form_is_refused_and_not_pickled(blobs: LocalBlobs, value: object):
    with pytest.raises(SerializationError) as caught:
        dump(value, None, blobs)
    assert caught.value.what


@given(at=st.integers(1, 3000), value=st.integers(0, 255))
def test_a_changed_byte_never_escapes_as_another_error(blobs: LocalBlobs, at: int, value: int):
    ref = dump(FRAME[["int", "text", "category", "Int64", "berlin", "bins"]], None, blobs)
    data = bytearray(blobs.read(ref.digest))
    data[-min(at, len(data))] = value
    digest, size = blobs.put(bytes(data))
    changed = type(ref)(digest=digest, size=size, format="pandas")
    with contextlib.suppress(MainspringError):
        load(changed, blobs)
