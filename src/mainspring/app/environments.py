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
    return build_lock(project, lock_of(environment))


def lock_of(environment: Environment) -> Lock:
    """Return the lock that an environment can be built from. Raises EnvironmentBuildError."""
    if environment.lock is None:
        raise EnvironmentBuildError("no lock was recorded")
    if environment.unbuildable:
        why = "; ".join(f"{name}: {text}" for name, text in environment.unbuildable.items())
        raise EnvironmentBuildError(f"its lock can't bring back {why}")
    return environment.lock


def build_lock(project: Project, lock: Lock) -> Path:
    """Return the Python (for R, the library) of a lock's environment, built if need be.

    Raises EnvironmentBuildError.
    """
    return Environments(project.home, project.blobs.read).build(lock)


def lock_text(project: Project, run: Run | None) -> tuple[str, bytes]:
    """Return the lock of a run, or of all of the project's code with what is installed now, as the
    name of a file and its content. Raises NotFoundError, EnvironmentBuildError."""
    if run is None:
        from mainspring.storage.pins import MADE, pin

        _, snapshot = project.snapshot()
        return MADE, pin(project.code(snapshot).packages(), project.root).text
    lock = environment_of(project, run).lock
    if lock is None:
        raise EnvironmentBuildError("no lock was recorded")
    return lock.main, project.blobs.read(lock.files[lock.main])


def build_path(project: Project, path: str) -> tuple[str, Path]:
    """Build the environment of a lock (or of its folder) of the project as it is now; return the
    lock's path and the environment's Python. Raises DefinitionError, EnvironmentBuildError."""
    _, snapshot = project.snapshot()
    lock = project.code(snapshot).read_lock(path)
    return lock.path, build_lock(project, lock)


def facts(environment: Environment) -> dict[str, str]:
    """Return what an environment's record says of the machine, by name, as texts."""
    machine, python = environment.machine, environment.python
    found = {
        "Python": f"{python.version} {python.implementation}, {python.build}",
        "system": f"{machine.system} {machine.release} {machine.architecture}",
        "C library": machine.libc,
        "processor": machine.processor,
        "processor flags": " ".join(machine.flags),
        "cores": str(machine.cores),
    }
    for each in environment.libraries:
        if each.version:
            found[f"{each.kind.upper()} of {each.of}"] = f"{each.name} {each.version}"
        else:
            name = f"{each.kind} library of {each.of}"
            found[name] = ", ".join(filter(None, [found.get(name), each.name]))
    if environment.gpu is not None:
        gpu = environment.gpu
        found |= {"GPU driver": gpu.driver, "CUDA": gpu.cuda, "cuDNN": gpu.cudnn}
        found["GPUs"] = ", ".join(gpu.devices)
    found |= {f"threads of {name}": str(count) for name, count in environment.threads.items()}
    found |= {f"image {name}": digest for name, digest in environment.images.items()}
    return {name: text for name, text in found.items() if text}


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
