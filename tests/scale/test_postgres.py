"""On PostgreSQL: how often an engine waits for the server, for each step and element."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scale import shapes
from tests.scale.instant import drive_at_once
from tests.scale.test_maps import giving, over_numbers, plan_of
from tests.services.postgres import Postgres

from mainspring.app.project import Project
from mainspring.app.running import create_run
from mainspring.records.status import RunStatus
from mainspring.storage.postgres_session import PostgresReadSession, PostgresWriteSession

pytestmark = pytest.mark.system("postgres")

SETTINGS = '[project]\nname = "scale"\n[storage]\nstore = "{url}"\n'


@pytest.fixture
def project(tmp_path: Path, postgres: Postgres) -> Iterator[Project]:
    url = postgres.new_database()
    (tmp_path / "mainspring.toml").write_text(SETTINGS.format(url=url))
    place = tmp_path / "tests" / "scale"
    place.mkdir(parents=True)
    here = Path(__file__)
    for name in ("shapes.py", "instant.py", "test_maps.py", here.name):
        shutil.copy(here.with_name(name), place)
    opened = Project(tmp_path)
    yield opened
    opened.close()


class Trips:
    """Counts how often a session waits for the server: what travels together counts as one."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for kind, names in (
            (PostgresReadSession, ("rows",)),
            (PostgresWriteSession, ("_begin", "_execute")),
        ):
            for name in names:
                patch.setattr(kind, name, self._counted(getattr(kind, name)))

    def _counted(self, call: Any) -> Any:
        def counted(*given: Any) -> Any:
            self.count += 1
            return call(*given)

        return counted

    def take(self) -> int:
        found, self.count = self.count, 0
        return found


def test_round_trips_for_each_step_of_a_chain(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run(project, plan_of(project, shapes.chain(100)))
    trips = Trips(monkeypatch)
    values = iter(range(1000))  # each step gets what none got before
    assert drive_at_once(project, run, lambda _: next(values)) is RunStatus.SUCCEEDED
    assert trips.take() / 100 < 15.5


def test_round_trips_for_each_element_of_a_map(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run(project, plan_of(project, over_numbers))
    trips = Trips(monkeypatch)
    assert drive_at_once(project, run, giving([*range(1000)])) is RunStatus.SUCCEEDED
    assert trips.take() / 1000 < 15.5
    again = create_run(project, plan_of(project, over_numbers))
    trips.take()
    assert drive_at_once(project, again, giving([])) is RunStatus.SUCCEEDED
    assert trips.take() / 1000 < 2.5
