from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.app.occupancy import alone, in_use
from mainspring.records.errors import ConflictError


def test_many_may_use_a_home(tmp_path: Path) -> None:
    with (
        in_use(tmp_path),
        in_use(tmp_path),
        pytest.raises(ConflictError, match="at work"),
        alone(tmp_path),
    ):
        pass


def test_alone_when_nobody_does(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(ConflictError), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass
