"""A scripted executor: attempts end when the test says so, and outlive the engine like real ones.

`World` stands for what survives an engine: the processes and their outcome files. A
`ScriptedExecutor` is one engine's view of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.records.ports import Capacity
from mainspring.records.runs import Order, Outcome
from mainspring.records.status import AttemptStatus


class World:
    """Attempts at work, and outcomes: each created once, by whoever comes first."""

    def __init__(self) -> None:
        self.alive: dict[str, Order] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.started: list[str] = []

    def start(self, order: Order) -> None:
        """Start user code, unless an outcome is there already or it runs."""
        if order.attempt not in self.outcomes and order.attempt not in self.alive:
            self.alive[order.attempt] = order
            self.started.append(order.attempt)

    def end(self, outcome: Outcome) -> Outcome:
        """Make an outcome durable if absent; return the one that counts."""
        self.alive.pop(outcome.attempt, None)
        return self.outcomes.setdefault(outcome.attempt, outcome)

    def die(self, attempt: str) -> None:
        """The worker's process is gone without an outcome."""
        self.alive.pop(attempt, None)


class ScriptedExecutor:
    """An `Executor` over a `World`; `wait` never blocks."""

    def __init__(self, world: World, capacity: Capacity | None = None) -> None:
        self.world = world
        self.watched: dict[str, None] = {}
        self._capacity = capacity or Capacity(cpus=2, memory=1 << 30)
        self.closed = False

    def capacity(self) -> Capacity:
        return self._capacity

    def prepare(self, snapshot: str, modules: Sequence[str]) -> None:
        pass

    def launch(self, orders: Sequence[Order]) -> None:
        for order in orders:
            self.watched[order.attempt] = None
            self.world.start(order)

    def wait(self, timeout: float) -> list[Outcome]:  # noqa: ARG002
        """Outcomes of watched attempts; one that is neither alive nor done becomes lost."""
        ready: list[Outcome] = []
        for attempt in list(self.watched):
            if attempt in self.world.alive:
                continue
            lost = Outcome(attempt=attempt, status=AttemptStatus.LOST)
            ready.append(self.world.end(lost))
            del self.watched[attempt]
        return ready

    def terminate(self, attempts: Sequence[str], status: AttemptStatus) -> None:
        for attempt in attempts:
            self.world.end(Outcome(attempt=attempt, status=status))

    def adopt(self, attempts: Sequence[str]) -> None:
        self.watched.update(dict.fromkeys(attempts))

    def wake(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True
