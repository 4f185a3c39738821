"""When tasks that wait for their retry become due, by an engine's own clock."""

from __future__ import annotations

from heapq import heappop, heappush


class Waits:
    """Tasks and the times at which they become due; each look costs no more for many of them."""

    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._queue: list[tuple[float, int]] = []

    def __contains__(self, task: int) -> bool:
        return task in self._due

    def __len__(self) -> int:
        return len(self._due)

    def add(self, task: int, at: float) -> None:
        """Have a task become due at a time; one that waits already waits until then instead."""
        self._due[task] = at
        heappush(self._queue, (at, task))

    def next(self) -> float | None:
        """The earliest time at which one becomes due."""
        while self._queue and self._due.get(self._queue[0][1]) != self._queue[0][0]:
            heappop(self._queue)  # its time was changed since
        return self._queue[0][0] if self._queue else None

    def pop_due(self, now: float) -> int | None:
        """Take out the task that has been due for longest, if one is due."""
        at = self.next()
        if at is None or at > now:
            return None
        _, task = heappop(self._queue)
        del self._due[task]
        return task
