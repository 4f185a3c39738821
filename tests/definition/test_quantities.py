"""Times and sizes as people write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.definition.quantities import seconds, size
from mainspring.records.errors import DefinitionError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30s", 30), ("30m", 1800), ("1h30m", 5400), ("250ms", 0.25),
        ("2d", 172800), ("1w", 604800), ("0.5h", 1800), (5, 5), (0.5, 0.5), (0, 0), (" 1s ", 1),
    ],
)  # fmt: skip
def test_seconds(text, value):
    assert seconds(text, name="timeout") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (100, 100), ("100", 100), ("1kB", 1000), ("2GiB", 2**31), ("1.5 MiB", 1572864),
        ("500MB", 500_000_000), ("1Gi", 2**30), ("0", 0),
    ],
)  # fmt: skip
def test_size(text, value):
    assert size(text, name="memory") == value


@pytest.mark.parametrize(
    "value",
    ["", "s", "30", "30x", "-1s", "1s x", "s30", -1, True, None, float("nan"), float("inf"), [1]],
)
def test_no_duration(value):
    with pytest.raises(DefinitionError, match=r"`timeout` is .* not a duration") as caught:
        seconds(value, name="timeout", where="p.py:3")
    assert caught.value.where == "p.py:3"
    assert caught.value.hint


@pytest.mark.parametrize("value", ["", "GB", "2 gigs", "-1", -1, 1.5, True, None, "9999999TB"])
def test_no_size(value):
    with pytest.raises(DefinitionError, match=r"`memory` is .* not a size"):
        size(value, name="memory")


@given(st.text(max_size=10))
def test_no_text_crashes(text):
    for read in (seconds, size):
        with contextlib.suppress(DefinitionError):
            assert read(text, name="x") >= 0
