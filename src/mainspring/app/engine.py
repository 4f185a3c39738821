"""The verb `engine`: work on whatever runs the store has, beside other engines."""

from __future__ import annotations

from collections.abc import Callable

from mainspring.app.project import Project
from mainspring.app.running import make_engine, stopping
from mainspring.execution.context import Listener
from mainspring.records.status import RunStatus
from mainspring.records.stores import RunFilter

_ALL = 1 << 62
_UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING)


def serve(
    project: Project,
    *,
    until_idle: bool = False,
    listener: Listener | None = None,
    on_interrupt: Callable[[], None] | None = None,
) -> dict[str, RunStatus]:
    """Work on every unfinished run, until Ctrl-C or, `until_idle`, until none is left; return
    the statuses of those that came to rest meanwhile.

    Ctrl-C once lets the tasks at work end and starts no more, but pauses no run: they are not
    this engine's alone. Twice raises KeyboardInterrupt at once.
    """
    executor = project.executor()
    engine = make_engine(project, executor, listener)
    with stopping(executor, engine.drain, on_interrupt):
        return engine.serve(lambda: unfinished(project), until_idle=until_idle)


def unfinished(project: Project) -> list[str]:
    """Return the runs that have not come to rest, the oldest first."""
    found = project.store.read.runs(RunFilter(status=_UNFINISHED, limit=_ALL))
    return [run.id for run in reversed(found)]
