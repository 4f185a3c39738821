"""Where a run is verified: in an environment built from its own lock, or in the present one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mainspring.app.differing import Known
from mainspring.app.environments import build, build_lock, environment_of, lock_of
from mainspring.app.project import Project
from mainspring.records.environments import Lock
from mainspring.records.errors import EnvironmentBuildError, MainspringError
from mainspring.records.runs import Run

PRESENT = "present"
_HINT = "`mainspring verify --here` takes the present environment"


class Place(NamedTuple):
    """The Python to execute in (None: the present one), its name, and what is known of it."""

    python: Path | None
    name: str
    known: Known


def place_of(project: Project, run: Run, *, here: bool) -> Place:
    """Return where to verify a run: built from the lock that is on record, or, if it is to be
    `here`, the present one, beside which the other is built only where a task differs.

    Raises EnvironmentBuildError where there is nothing to build it from, or that fails.
    """
    if here:
        known = Known(other=lambda: _built_if_possible(project, run), other_name="built from lock")
        return Place(None, PRESENT, known)
    try:
        lock = lock_of(environment_of(project, run))
        python = build_lock(project, lock)
        return Place(python, _name(lock), Known(is_recorded=True))
    except MainspringError as error:
        raise EnvironmentBuildError(
            f"the environment of run {run.id} can't be built: {error}", hint=_HINT
        ) from error


def _name(lock: Lock) -> str:
    return f"built from {lock.path or f'the recorded {lock.main}'}"


def _built_if_possible(project: Project, run: Run) -> Path | None:
    try:
        return build(project, environment_of(project, run))
    except MainspringError:
        return None  # then the experiment says that it could not be changed back
