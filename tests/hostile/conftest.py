"""Places to be hostile in."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A project of this test's own, whose pipeline is `flow:main`."""
    return Place(tmp_path / "demo")
