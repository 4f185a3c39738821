"""The verb `environment`: what a run ran in, as a lock, and built."""

from __future__ import annotations

from pathlib import Path

from mainspring.app.planning import Planned, work_of
from mainspring.app.project import Project
from mainspring.execution.environments import Environments
from mainspring.records.environments import Environment, Lock, decode
from mainspring.records.errors import EnvironmentBuildError, NotFoundError
from mainspring.records.plan import Choice
from mainspring.records.runs import Run


def environment_of(project: Project, run: Run) -> Environment:
    """Return what was recorded of a run's environment. Raises NotFoundError, BlobError."""
    if run.environment is None:
        raise NotFoundError(f"the environment of run {run.id} was not recorded")
    return decode(project.blobs.read(run.environment))


def build(project: Project, environment: Environment) -> Path:
    """Return the Python of an environment like a recorded one, built from its lock if need be.

    Raises EnvironmentBuildError.
    """
    if environment.lock is None:
        raise EnvironmentBuildError("no lock was recorded")
    return build_lock(project, environment.lock)


def build_lock(project: Project, lock: Lock) -> Path:
    """Return the Python (for R, the library) of a lock's environment, built if need be.

    Raises EnvironmentBuildError.
    """
    return Environments(project.home, project.blobs.read).build(lock)


def build_planned(project: Project, planned: Planned) -> None:
    """Build the environments of the steps that may run, before anything does.

    Raises EnvironmentBuildError, DefinitionError.
    """
    going = {
        task.node.rpartition("/")[2]
        for task in planned.plan.tasks
        if task.choice in (Choice.RUN, Choice.UNKNOWN)
    }
    for work in work_of(planned.spec):
        lock = planned.context.lock(work)
        if lock is not None and work.name in going:
            build_lock(project, lock)
