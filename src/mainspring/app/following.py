"""Logs of a run at work, as they grow: each look costs what is new, however large the run is."""

from __future__ import annotations

import time
from collections.abc import Iterator

from mainspring.app.logs import AT_ONCE, Piece, Source, source_of
from mainspring.app.project import Project
from mainspring.records.runs import Run, Task
from mainspring.records.status import TASK_SETTLED, RunStatus, TaskStatus

PAUSE = 0.1
"""Seconds between two looks."""

SHARE = 10
"""All steps of a pipeline are looked at again no sooner than so many times the last look took."""

AGAIN = 50
"""How many elements that have begun and not settled (they wait for a retry) one look asks for."""

_AT_REST = frozenset(RunStatus) - {RunStatus.QUEUED, RunStatus.RUNNING}


def follow_logs(project: Project, run: Run, path: str | None = None) -> Iterator[Piece | None]:
    """Yield the logs of a run, or of one task, as they grow, until the run rests; None when there
    was nothing new. Every attempt is there, once. Raises NotFoundError."""
    read = project.store.read
    follower = Follower(project, run, path)
    seen = -1
    while True:
        version = read.version()
        resting = read.run(run.id).status in _AT_REST and not read.running_attempts(run.id)
        changed = version != seen or resting
        seen = version
        grown = False
        for _ in follower.look(last=resting) if changed else (None,):
            for piece in follower.pieces():
                grown = True
                yield piece
        if resting:
            return
        if not grown:
            yield None
            time.sleep(PAUSE)


class Follower:
    """What was seen of a run's attempts, and the files of those that may still grow.

    A map's elements begin about in order. So one look reads a page of them, from the first that
    has not begun; what has begun far behind it is found while it runs, or when the page gets there.
    """

    def __init__(self, project: Project, run: Run, path: str | None) -> None:
        self._project = project
        self._read = project.store.read
        self._run = run.id
        self._path = path
        self._live: dict[str, Source] = {}
        self._tried: dict[int, int] = {}
        self._begun: dict[int, str] = {}
        self._fronts: dict[int, int] = {}
        self._maps: dict[int, Task] = {}
        self._due = 0.0

    def look(self, *, last: bool) -> Iterator[None]:
        """Find attempts that have begun since the last look (`last`: all that were missed), in
        parts; after each of them their `pieces` are to be taken."""
        self._see_ends()
        if last or time.monotonic() >= self._due:
            start = time.monotonic()
            for task in self._top():
                self._take(task)
            self._due = start + SHARE * (time.monotonic() - start)
        if self._maps:
            for task in self._read.tasks(self._run, status=TaskStatus.RUNNING):
                if task.parent in self._maps and task.index is not None:
                    self._take(task)
            for task in self._maps.values():
                yield from self._take_elements(task, last)
            self._take_again(len(self._begun) if last else AGAIN)
        yield

    def pieces(self) -> Iterator[Piece]:
        """Yield what was written since the last time; let go of the files that are complete."""
        for name, source in list(self._live.items()):
            yield from source.read()
            if source.over:
                del self._live[name]

    def _top(self) -> list[Task]:
        """Every task but the elements of maps: of the run, or of the one that was asked for."""
        if self._path is None:
            return self._read.top_tasks(self._run)
        task = self._read.find_task(self._run, self._path)
        if task.kind == "map" or task.total is None:
            return [task]
        return self._read.tasks(self._run, parent=task.id)

    def _take(self, task: Task) -> None:
        """Follow what is new of a task."""
        if task.kind == "map":
            self._maps.setdefault(task.id, task)
        known = self._tried.get(task.id, 0)
        if task.attempts > known:
            found = self._read.attempts(task.id)  # it may have begun again since it was read
            for attempt in found[known:]:
                self._live[attempt.id] = source_of(self._project, task, attempt)
            self._tried[task.id] = len(found)

    def _see_ends(self) -> None:
        """Note which attempts have ended: what they have written is there when they have."""
        waiting = {source.task_id for source in self._live.values() if not source.over}
        for task in waiting:
            for attempt in self._read.attempts(task):
                if attempt.ended is not None and attempt.id in self._live:
                    self._live[attempt.id].over = True

    def _take_elements(self, task: Task, last: bool) -> Iterator[None]:
        front = first = self._fronts.get(task.id, 0)
        while True:
            page = self._read.elements(task.id, first, AT_ONCE)
            for element in page:
                self._take(element)
                begun = element.attempts > 0 or element.status in TASK_SETTLED
                if begun and element.index == front:
                    front += 1
                    self._pass(element)
            yield
            first += len(page)
            if len(page) < AT_ONCE or not (last or front == first):
                break
        self._fronts[task.id] = front

    def _pass(self, element: Task) -> None:
        """An element that no page will have again: forget it, unless it may begin once more."""
        if element.status in TASK_SETTLED:
            self._tried.pop(element.id, None)
        else:
            self._begun[element.id] = element.path

    def _take_again(self, most: int) -> None:
        for name, path in list(self._begun.items())[:most]:
            task = self._read.find_task(self._run, path)
            self._take(task)
            del self._begun[name]  # to its end, so that each has its turn
            self._pass(task)
