"""The verb `runs`: runs as records to be printed."""

from __future__ import annotations

import time

from mainspring.app import views
from mainspring.app.project import Project
from mainspring.records.runs import Run
from mainspring.records.status import RunStatus
from mainspring.records.stores import RunFilter
from mainspring.records.verdicts import Exactness

_AT_WORK = (RunStatus.QUEUED, RunStatus.RUNNING)


def list_runs(project: Project, want: RunFilter) -> views.RunsView:
    """Return the runs that `want` describes, newest first."""
    found = project.store.read.runs(want)
    verified = project.store.read.verified([run.id for run in found])
    return views.RunsView(runs=[_view(project, run, verified.get(run.id)) for run in found])


def run_view(project: Project, run: Run) -> views.RunView:
    """Return a run as it is shown."""
    return _view(project, run, project.store.read.verified([run.id]).get(run.id))


def _view(project: Project, run: Run, verified: Exactness | None) -> views.RunView:
    end = run.ended or (time.time() if run.status.value in ("running", "queued") else None)
    return views.RunView(
        id=run.id,
        pipeline=run.pipeline,
        status=run.status.value,
        wish=run.wish.value,
        parameters=run.parameters,
        seed=run.seed,
        spec=run.spec,
        snapshot=run.snapshot,
        created=run.created,
        started=run.started,
        ended=run.ended,
        seconds=end - run.created if end else None,
        parent=run.parent,
        reason=run.reason,
        working=run.status in _AT_WORK and project.is_driven(run.id),
        verified=verified,
    )
