from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.execution.gaps import between, between_arrays, between_lists, is_number

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=20))
def test_lists_and_arrays_agree(pairs: list[tuple[float, float]]) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    listed, array = between_lists(one, other), between_arrays(np.array(one), np.array(other))
    if one == other:
        assert (listed, array) == (None, None)
        return
    assert listed is not None
    assert array is not None
    assert (listed.count, listed.total) == (array.count, array.total)
    assert listed.absolute == array.absolute == max(abs(b - a) for a, b in pairs)
    assert listed.scaled == pytest.approx(array.scaled)
    assert listed.relative == pytest.approx(array.relative)


def test_the_measure_is_absolute_for_small_numbers_and_relative_for_large_ones() -> None:
    small, large = between(0.25, 0.5), between(1000.0, 1001.0)
    assert small is not None
    assert large is not None
    assert (small.absolute, small.relative, small.scaled) == (0.25, 1.0, 0.25)
    assert (large.absolute, large.relative, large.scaled) == (1.0, 0.001, 0.001)
    zero = between(0.0, 1e-9)
    assert zero is not None
    assert (zero.relative, zero.scaled) == (math.inf, 1e-9)


def test_no_number_equals_another_and_infinity_has_no_distance() -> None:
    assert between(math.nan, math.nan) is None
    assert between_arrays(np.array([math.nan]), np.array([math.nan])) is None
    for one, other in ((math.inf, 1.0), (math.nan, 1.0), (math.inf, -math.inf)):
        gap, arrays = between(one, other), between_arrays(np.array([one]), np.array([other]))
        assert gap is not None
        assert arrays is not None
        assert (gap.numeric, arrays.numeric) == (False, False)


def test_an_int_that_became_a_float_is_told_without_a_distance() -> None:
    gap = between(1, 1.0)
    assert gap is not None
    assert (gap.what, gap.numeric, gap.absolute) == ("1 became 1.0", True, 0.0)


def test_where_an_array_differs_the_most() -> None:
    one = np.zeros((2, 3), dtype=np.float32)
    other = one.copy()
    other[0, 1], other[1, 2] = 0.25, -0.5
    gap = between_arrays(one, other)
    assert gap is not None
    assert (gap.what, gap.count, gap.total) == ("[1, 2]: 0.0 became -0.5", 2, 6)


def test_texts_and_bools_of_arrays() -> None:
    gap = between_arrays(np.array(["a", "b"]), np.array(["a", "c"]))
    assert gap is not None
    assert (gap.what, gap.numeric) == ("[1]: 'b' became 'c'", False)
    assert between_arrays(np.array([True]), np.array([True])) is None


def test_what_counts_as_a_number() -> None:
    assert all(map(is_number, (1, 1.5, 1j, np.float32(1), np.int8(1))))
    assert not any(map(is_number, (True, "1", np.bool_(True), np.array([1]), None)))


def test_numbers_without_end_of_python_are_no_trouble() -> None:
    gap = between(10**400, 10**400 + 1)
    assert gap is not None
    assert not gap.numeric
