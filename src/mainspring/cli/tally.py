"""Keeps count of a run at work: told of each transition, asked for the state of the whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from mainspring.cli.tree import SETTLED, Entry
from mainspring.execution.context import Event
from mainspring.records.runs import Task
from mainspring.records.status import TaskStatus


class Tally:
    """Counters, by task; elements of maps are counted in their map.

    `hear` is called by the engine and does next to nothing; another thread may read meanwhile.
    `tasks` are all but the elements of maps, which `counts` has by map and state. `total_of` says
    how many elements a map has; it is asked once for each map.
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        counts: Mapping[int | None, Mapping[TaskStatus, int]],
        total_of: Callable[[str], int | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.entries: dict[str, Entry] = {}
        self.began = clock()
        self.status = "running"
        self._clock = clock
        self._total_of = total_of
        self._at_work: set[str] = set()
        for task in tasks:
            self._start_with(task, counts.get(task.id, {}))

    def _start_with(self, task: Task, counts: Mapping[TaskStatus, int]) -> None:
        detail = f"from {task.source}" if task.source else ""
        entry = Entry(task.path, task.kind, task.status.value, detail=detail, total=task.total)
        self.entries[task.path] = entry
        if task.kind == "map":
            settled = {s.value: n for s, n in counts.items() if s.value in SETTLED}
            entry.counts.update(settled)

    def hear(self, event: Event) -> Entry | None:
        """Take note of an event; return the entry that it changed, if it was a task's."""
        if event.path is None:
            self.status = event.status
            return None
        if event.kind == "element":
            return self._element(event)
        entry = self.entries.get(event.path)
        if entry is None:
            entry = self.entries[event.path] = Entry(event.path, event.kind, event.status)
        entry.status = event.status
        entry.detail = (
            event.error.message if event.error and not event.reason else event.reason or ""
        )
        entry.seconds = event.seconds
        entry.since = self._clock() if event.status in ("running", "open") else None
        entry.attempt = event.attempt
        return entry

    def _element(self, event: Event) -> Entry:
        assert event.path is not None
        path = _map_of(event.path)
        entry = self.entries.get(path)
        if entry is None:
            entry = self.entries[path] = Entry(path, "map", "open")
        if entry.since is None:
            entry.since = self._clock()
            entry.status = "open"
            entry.detail = ""
        if not entry.total:
            entry.total = self._total_of(path)
        if event.path in self._at_work:
            self._at_work.discard(event.path)
            self._count(entry, "running", -1)
        if event.status == "running":
            self._at_work.add(event.path)
            self._count(entry, "running", 1)
        elif event.status in SETTLED:
            self._count(entry, event.status, 1)
        return entry

    @staticmethod
    def _count(entry: Entry, status: str, by: int) -> None:
        entry.counts[status] = entry.counts.get(status, 0) + by

    def seconds_of(self, entry: Entry) -> float | None:
        """How long a task took, or has been at work."""
        if entry.since is not None and entry.status in ("running", "open"):
            return self._clock() - entry.since
        return entry.seconds

    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self.began


def _map_of(path: str) -> str:
    return path.rpartition("[")[0]
