from __future__ import annotations

import pytest

from mainspring.cli.driving import exit_code
from mainspring.records.status import RunStatus


@pytest.mark.parametrize(
    ("status", "interrupted", "code"),
    [
        (RunStatus.SUCCEEDED, False, 0),
        (RunStatus.SUCCEEDED, True, 0),
        (RunStatus.FAILED, False, 1),
        (RunStatus.CANCELLED, False, 1),
        (RunStatus.WAITING, False, 3),
        (RunStatus.PAUSED, False, 3),
        (RunStatus.PAUSED, True, 130),
    ],
)
def test_exit_code(status: RunStatus, interrupted: bool, code: int) -> None:
    assert exit_code(status, interrupted=interrupted) == code
