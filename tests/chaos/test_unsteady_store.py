"""A store that goes away in every seventh transaction, under a real engine with real workers.

The store is a real one, wrapped: each fault undoes a transaction, or commits it and does not say
so. Several faults in a row are drawn too, so that beginning again fails as well.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.trial import check, command, make_project, undisturbed

from mainspring.app.project import Project
from mainspring.app.running import drive
from mainspring.records.errors import StoreUnavailableError
from mainspring.records.status import RunStatus

SEEDS = 4


class Unsteady:
    """A store of which one transaction in seven fails, and then the next one may too."""

    def __init__(self, store: Any, draw: random.Random) -> None:
        self._store = store
        self._draw = draw
        self._failing = False
        self.faults = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextlib.contextmanager
    def write(self, runs: Sequence[str] = ()) -> Iterator[Any]:
        self._failing = self._draw.random() < (0.4 if self._failing else 0.15)
        fault = self._draw.choice(["undone", "unknown"]) if self._failing else ""
        self.faults += bool(fault)
        with self._store.write(runs) as tx:
            yield tx
            if fault == "undone":
                raise StoreUnavailableError("undone")
        if fault:
            raise StoreUnavailableError("its fate is unknown")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return undisturbed(tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_lost_and_nothing_happens_twice(
    seed: int, expected: dict[str, str], tmp_path: Path
) -> None:
    root = make_project(tmp_path / "unsteady")
    queued = command(root, "run", "--queue")
    out, _ = queued.communicate(timeout=60)
    assert queued.returncode == 0, out.decode()
    project = Project(root)
    unsteady = Unsteady(project.store, random.Random(seed))
    run = out.decode().strip()
    try:
        project.store = unsteady  # type: ignore[assignment]
        assert drive(project, [run]) == {run: RunStatus.SUCCEEDED}
    finally:
        project.close()
    assert unsteady.faults >= 2
    check(root, expected, f"{unsteady.faults} faults")
