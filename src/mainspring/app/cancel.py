"""The verbs `cancel` and `pause`: a wish, carried out by the engine or, if none is up, here."""

from __future__ import annotations

import time

from mainspring.app.project import Project
from mainspring.app.running import drive
from mainspring.records.errors import ConflictError
from mainspring.records.runs import Run
from mainspring.records.status import RUN_ENDED, RunStatus, Wish


def cancel(project: Project, run: Run) -> RunStatus:
    """Cancel a run. Raises ConflictError when it has ended.

    Returns its status: `cancelled`, or `running` while a live engine is still taking it down.
    """
    return _wish(project, run, Wish.CANCEL)


def pause(project: Project, run: Run) -> RunStatus:
    """Pause a run: attempts at work end, nothing new starts. Raises ConflictError when ended."""
    return _wish(project, run, Wish.PAUSE)


def _wish(project: Project, run: Run, wish: Wish) -> RunStatus:
    with project.store.write([run.id]) as tx:
        # As it is now: it may have ended since the caller read it.
        status = tx.get_run(run.id).status
        if status in RUN_ENDED:
            raise ConflictError(f"run {run.id} has ended already: it is {status.value}")
        tx.set_wish(run.id, wish)
    if project.is_driven(run.id):
        return project.store.read.run(run.id).status
    return drive(project, [run.id])[run.id]


def wait_until_rest(project: Project, run: str, timeout: float) -> RunStatus:
    """Wait until no live engine works on the run, at most `timeout` seconds; its status."""
    limit = time.monotonic() + timeout
    while project.is_driven(run) and time.monotonic() < limit:
        time.sleep(0.05)
    return project.store.read.run(run).status
