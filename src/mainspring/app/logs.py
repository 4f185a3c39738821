"""The verb `logs`: what steps have printed, read piece by piece (following.py: as it grows)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from mainspring.app.project import Project
from mainspring.execution.attempt_files import open_plain
from mainspring.records.errors import NotFoundError
from mainspring.records.runs import Attempt, Run, Task

PIECE = 1 << 16
"""At most this many bytes are held at once."""

AT_ONCE = 1000
"""How many elements of a map are read from the store at once."""


class Piece(msgspec.Struct, frozen=True):
    """Some bytes that an attempt of a task wrote, in order."""

    task: str
    attempt: str
    number: int
    data: bytes


class Source(msgspec.Struct):
    """The log file of one attempt, how far it was read, and whether the attempt has ended."""

    task: str
    attempt: str
    number: int
    path: Path
    offset: int = 0
    task_id: int = 0
    over: bool = False

    def read(self) -> Iterator[Piece]:
        """Yield what was written since the last time."""
        try:
            with open_plain(self.path) as file:
                file.seek(self.offset)
                while data := file.read(PIECE):
                    self.offset += len(data)
                    yield Piece(self.task, self.attempt, self.number, data)
        except FileNotFoundError:
            return


def read_logs(
    project: Project, run: Run, path: str | None = None, *, attempt: int | None = None
) -> Iterator[Piece]:
    """Yield the logs of a run, or of one task, in the order of the tasks.

    Of a task it is the latest attempt, or number `attempt`; of a map or repeat, those of its
    children; of a reused task, those of where its result came from. Raises NotFoundError.
    """
    for task in _tasks(project, run, path):
        for source in _sources(project, task, attempt, strict=path is not None):
            yield from source.read()


def _tasks(project: Project, run: Run, path: str | None) -> Iterator[Task]:
    read = project.store.read
    if path is None:
        for task in _with_children(read.top_tasks(run.id)):
            yield task
            yield from _elements(project, task)
        return
    task = read.find_task(run.id, path)
    if task.kind == "map":
        yield from _elements(project, task)
    else:
        yield from read.tasks(run.id, parent=task.id) if task.total is not None else [task]


def _elements(project: Project, task: Task) -> Iterator[Task]:
    """A map's elements, some at a time."""
    first = 0
    while task.kind == "map":
        found = project.store.read.elements(task.id, first, AT_ONCE)
        yield from found
        if len(found) < AT_ONCE:
            return
        first += AT_ONCE


def _with_children(tasks: list[Task]) -> Iterator[Task]:
    """In order, but the children of a repeat after it."""
    children: dict[int | None, list[Task]] = {}
    for task in tasks:
        children.setdefault(task.parent, []).append(task)
    waiting = children.get(None, [])[::-1]
    while waiting:
        task = waiting.pop()
        yield task
        waiting += children.get(task.id, [])[::-1]


def _sources(project: Project, task: Task, number: int | None, *, strict: bool) -> Iterator[Source]:
    read = project.store.read
    if strict and task.source is not None:
        run, _, path = task.source.partition("/")
        try:
            task = read.find_task(run, path)
        except NotFoundError:
            return
    if not task.attempts:
        return
    attempts = read.attempts(task.id)
    if number is None:
        attempts = attempts[-1:]
    else:
        attempts = [found for found in attempts if found.number == number]
        if strict and not attempts:
            raise NotFoundError(
                f"{task.path} has no attempt {number}", hint=f"it had {task.attempts}"
            )
    for attempt in attempts:
        yield source_of(project, task, attempt)


def source_of(project: Project, task: Task, attempt: Attempt) -> Source:
    """The log of an attempt."""
    path = project.home / "attempts" / attempt.id / "log"
    return Source(
        task.path,
        attempt.id,
        attempt.number,
        path,
        task_id=task.id,
        over=attempt.ended is not None,
    )
