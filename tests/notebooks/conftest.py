"""A notebook in a project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.notebooks.kernel import Kernel


@pytest.fixture
def kernel(project: Path) -> Iterator[Kernel]:
    """A kernel whose notebook lies in a project."""
    with Kernel(project) as started:
        yield started
