from __future__ import annotations

from pathlib import Path

from mainspring.app.listing import list_runs, run_view
from mainspring.app.project import Project
from mainspring.records.runs import Run
from mainspring.records.status import RunStatus, Wish
from mainspring.records.stores import RunFilter


def run(**more: object) -> Run:
    values = {
        "id": "r", "pipeline": "p", "status": RunStatus.SUCCEEDED, "wish": Wish.RUN, "spec": "s",
        "snapshot": "b", "parameters": {}, "seed": 0, "created": 10.0, **more,
    }  # fmt: skip
    return Run(**values)  # type: ignore[arg-type]


def test_how_long_it_took(project: Path) -> None:
    opened = Project(project)
    assert run_view(opened, run(ended=12.5)).seconds == 2.5
    assert run_view(opened, run(status=RunStatus.PAUSED)).seconds is None
    record = run(status=RunStatus.RUNNING)
    with opened.store.write() as tx:
        tx.add_run(record, b"{}")
    shown = run_view(opened, record)
    assert (shown.seconds or 0) > 1e6
    assert not shown.working  # nobody holds a lease on it


def test_nothing_yet(project: Path) -> None:
    assert list_runs(Project(project), RunFilter()).runs == []
