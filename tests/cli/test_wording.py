from __future__ import annotations

import pytest

from mainspring.cli import wording
from mainspring.records.status import AttemptStatus, RunStatus, TaskStatus


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.004, "4 ms"),
        (0.3, "0.3 s"),
        (9.96, "10 s"),
        (59.7, "1 min 0 s"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
        (None, ""),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2 * 10**7, "20 MB"), (3 * 10**13, "30.0 TB")],
)
def test_size(count: int, text: str) -> None:
    assert wording.size(count) == text


def test_every_status_has_a_sign() -> None:
    known = {*RunStatus, *TaskStatus, *AttemptStatus}
    assert {status.value for status in known} <= set(wording.SYMBOLS)


def test_tally() -> None:
    assert wording.tally({"failed": 1, "succeeded": 3, "reused": 0}) == "3 succeeded, 1 failed"
