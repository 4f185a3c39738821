"""Drives runs with workers that are done at once: what is left is the engine's own work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mainspring.app.project import Project
from mainspring.app.running import load_context
from mainspring.execution.context import Listener
from mainspring.execution.engine import Engine
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.ports import Capacity
from mainspring.records.runs import Order, Outcome, Run, TaskError, Usage
from mainspring.records.status import AttemptStatus, RunStatus
from mainspring.storage.serializers import registry

Make = Callable[[Order], object]


class Failure(Exception):
    """Raised by a `make` for an attempt that is to fail."""


class InstantExecutor:
    """An executor whose attempts return what `make` says, as soon as they are asked for.

    Stands for worker processes, of which a test could start a few hundred, not many thousands.
    """

    def __init__(self, project: Project, make: Make) -> None:
        self._blobs = project.blobs
        self._make = make
        self._refs: dict[int, ArtifactRef] = {}
        self._ended: list[Outcome] = []
        self.launched = 0

    def capacity(self) -> Capacity:
        return Capacity(cpus=2, memory=1 << 30)

    def prepare(self, snapshot: str, modules: Sequence[str]) -> None:
        pass

    def launch(self, orders: Sequence[Order]) -> None:
        self.launched += len(orders)
        self._ended += [self._end(order) for order in orders]

    def _end(self, order: Order) -> Outcome:
        now = time.time()
        usage = Usage(wall=0.001)
        try:
            value = self._make(order)
        except Failure as failure:
            error = TaskError(kind="Failure", message=str(failure))
            return Outcome(
                attempt=order.attempt, status=AttemptStatus.FAILED, started=now, ended=now,
                usage=usage, error=error,
            )  # fmt: skip
        ref = self._refs.get(id(value)) or registry.dump(value, None, self._blobs)
        if isinstance(value, int):
            self._refs[id(value)] = ref
        return Outcome(
            attempt=order.attempt, status=AttemptStatus.SUCCEEDED, started=now, ended=now,
            usage=usage, outputs=dict.fromkeys(order.outputs, ref),
        )  # fmt: skip

    def wait(self, timeout: float) -> list[Outcome]:
        ended, self._ended = self._ended, []
        return ended

    def terminate(self, attempts: Sequence[str], status: AttemptStatus) -> None:
        pass

    def adopt(self, attempts: Sequence[str]) -> None:
        pass

    def wake(self) -> None:
        pass

    def close(self) -> None:
        pass


def engine_of(
    project: Project, make: Make, *, listener: Listener | None = None, id: str = "instant"
) -> tuple[Engine, InstantExecutor]:
    """An engine of the project with instant workers."""
    executor = InstantExecutor(project, make)
    engine = Engine(
        project.store, executor, project.leases, project.journal,
        lambda run, tx: load_context(project, run, tx), id=id,
        capacity=executor.capacity(), listener=listener,
    )  # fmt: skip
    return engine, executor


def drive_at_once(
    project: Project, run: Run, make: Make = lambda _: 1, listener: Listener | None = None
) -> RunStatus:
    """Drive a run to its rest; what it came to."""
    engine, _ = engine_of(project, make, listener=listener)
    return engine.drive([run.id])[run.id]
