"""The in-memory store's queue: the moves of docs/protocol.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import ConflictError, MainspringError
from mainspring.records.runs import Attempt, Outcome, Task, TaskError
from mainspring.records.status import (
    RUN_ENDED,
    TASK_SETTLED,
    AttemptStatus,
    TaskStatus,
    Wish,
)
from mainspring.storage.queue import FEW, not_movable
from mainspring.testing.reader import MemoryHistory
from mainspring.testing.state import State

E = TypeVar("E", bound=MainspringError)
_REOPENED = (TaskStatus.FAILED, TaskStatus.BLOCKED, TaskStatus.CANCELLED)
_COUNTED = (TaskStatus.PENDING, TaskStatus.READY, TaskStatus.OPEN)


class MemoryQueue(MemoryHistory):
    """Every move of a task and an attempt."""

    def __init__(self, state: State) -> None:
        super().__init__(lambda: self._state)
        self._state = state
        self.failed = False

    def ready(
        self,
        runs: Sequence[str],
        at: float,
        limit: int,
        skip: Sequence[int] = (),
        without: Sequence[str] = (),
    ) -> list[Task]:
        found = [
            task
            for task in self._ready(runs)
            if task.id not in skip
            and task.node not in without
            and (task.not_before is None or task.not_before <= at)
        ]
        return sorted(found, key=lambda task: task.id)[:limit]

    def delayed(self, runs: Sequence[str], until: float, limit: int) -> list[Task]:
        waits = [(t.not_before, t) for t in self._ready(runs) if t.not_before is not None]
        found = sorted((at, t.id, t) for at, t in waits if at <= until)
        return [task for run in runs for task in [t for _, _, t in found if t.run == run][:limit]]

    def next_ready(self, runs: Sequence[str]) -> float | None:
        return min((task.not_before or 0.0 for task in self._ready(runs)), default=None)

    def _ready(self, runs: Sequence[str]) -> list[Task]:
        known = [self._state.runs[run] for run in runs if run in self._state.runs]
        wanted = [run.id for run in known if run.wish is Wish.RUN]
        return [t for run in wanted for t in self._state.of_run(run, TaskStatus.READY)]

    def begin(
        self,
        attempt: Attempt,
        key: str,
        static: str,
        seed: int,
        inputs: Mapping[str, tuple[str, str]],
        reason: str,
    ) -> bool:
        task = self._state.tasks.get(attempt.task)
        if task is None or task.status is not TaskStatus.READY:
            return False
        running = [a.status is AttemptStatus.RUNNING for a in self._state.tried(task.id)]
        if attempt.id in self._state.attempts or any(running):
            raise self._refused(ConflictError(f"task {task.path} has such an attempt already"))
        self._state.put(
            task,
            status=TaskStatus.RUNNING,
            attempts=task.attempts + 1,
            key=key,
            static=static,
            seed=seed,
            reason=reason,
            not_before=None,
            started=attempt.started if task.started is None else task.started,
        )
        self._state.inputs[task.id] = dict(inputs)
        self._state.attempts[attempt.id] = attempt
        return True

    def finish(self, attempt: str, engine: str, epoch: int, outcome: Outcome) -> Task | None:
        found = self._state.attempts.get(attempt)
        if found is None or (found.engine, found.epoch) != (engine, epoch):
            return None
        if found.status is not AttemptStatus.RUNNING:
            return None
        self._state.attempts[attempt] = msgspec.structs.replace(
            found,
            status=outcome.status,
            ended=outcome.ended,
            error=outcome.error,
            usage=outcome.usage,
        )
        task = self._state.tasks[found.task]
        if outcome.status is AttemptStatus.SUCCEEDED:
            pipeline = self._state.runs[task.run].pipeline
            self._state.expected[pipeline, task.node] = outcome.usage.wall
        return task

    def settle(
        self,
        task: int,
        status: TaskStatus,
        at: float,
        *,
        outputs: Mapping[str, ArtifactRef] = {},
        reason: str | None = None,
        source: str | None = None,
        error: TaskError | None = None,
        key: str | None = None,
        static: str | None = None,
        seed: int | None = None,
        inputs: Mapping[str, tuple[str, str]] | None = None,
    ) -> bool:
        old = self._state.tasks.get(task)
        if old is None or old.status in TASK_SETTLED:
            return False
        given = {"reason": reason, "source": source, "key": key, "static": static, "seed": seed}
        kept = {name: value for name, value in given.items() if value is not None}
        self._state.put(
            old, status=status, ended=at, error=error, pending=0, not_before=None, **kept
        )
        if inputs is not None:
            self._state.inputs[task] = dict(inputs)
        if outputs:
            self._state.outputs[task] = dict(outputs)
        self._release(old)
        return True

    def _release(self, settled: Task) -> None:
        for up, down in sorted(self._state.edges):
            if up == settled.id:
                self._lower(down, TaskStatus.PENDING)
        if settled.parent is not None:
            self._lower(settled.parent, TaskStatus.OPEN)

    def _lower(self, task: int, only: TaskStatus) -> None:
        old = self._state.tasks[task]
        if old.status is only:
            status = TaskStatus.READY if old.pending == 1 else only
            self._state.put(old, status=status, pending=old.pending - 1)

    def again(self, task: int, at: float | None, *, tries: int, lost: int) -> None:
        old = self._in(task, "running", TaskStatus.RUNNING)
        self._state.put(old, status=TaskStatus.READY, not_before=at, tries=tries, lost=lost)

    def park(self, task: int, reason: str, key: str | None) -> None:
        old = self._in(task, "ready", TaskStatus.READY)
        self._state.put(old, status=TaskStatus.WAITING, reason=reason)
        self._state.awaits.pop(task, None)
        if key is not None:
            self._state.awaits[task] = key

    def computing(self, key: str) -> str | None:
        for task in self._state.tasks.values():
            if task.key == key and task.status is TaskStatus.RUNNING:
                return f"{task.run}/{task.path}"
        return None

    def wake(self, key: str) -> int:
        waiting = [task for task, awaited in self._state.awaits.items() if awaited == key]
        found = [t for t in waiting if self._state.tasks[t].status is TaskStatus.WAITING]
        for task in found:
            self._state.put(self._state.tasks[task], status=TaskStatus.READY)
            del self._state.awaits[task]
        return len(found)

    def wake_stale(self, runs: Sequence[str]) -> int:
        tasks = self._state.tasks.values()
        computed = {task.key for task in tasks if task.status is TaskStatus.RUNNING}
        stale = [
            awaited
            for task, awaited in self._state.awaits.items()
            if self._state.tasks[task].run in runs and awaited not in computed
        ]
        return sum(self.wake(key) for key in dict.fromkeys(stale))

    def open(self, task: int, total: int, expanded: int, pending: int) -> None:
        old = self._in(task, "ready or open", TaskStatus.READY, TaskStatus.OPEN)
        status = TaskStatus.OPEN if pending else TaskStatus.READY
        self._state.put(old, status=status, total=total, expanded=expanded, pending=pending)

    def open_maps(self, runs: Sequence[str]) -> list[Task]:
        ready = [t for run in runs for t in self._state.of_run(run, TaskStatus.READY)]
        now = {task.id for task in ready if task.not_before is None}
        found = [
            task
            for run in runs
            for task in self._state.of_run(run, TaskStatus.OPEN)
            if task.expanded < (task.total or 0)
            and sum(c.id in now for c in self._state.children(task.id)) < FEW
        ]
        return sorted(found, key=lambda task: task.id)

    def unsettled(self, run: str) -> int:
        return int(any(t.status not in TASK_SETTLED for t in self._state.of_run(run)))

    def any_status(self, run: str, status: TaskStatus) -> bool:
        return bool(self._state.of_run(run, status))

    def running(self, runs: Sequence[str]) -> list[Attempt]:
        return [attempt for run in runs for attempt in self._state.at_work(run)]

    def settle_all(self, run: str, status: TaskStatus, at: float, reason: str) -> int:
        busy = {attempt.task for attempt in self._state.at_work(run)}
        count = 0
        for task in self._state.of_run(run):
            if task.status not in TASK_SETTLED and task.id not in busy:
                self._state.awaits.pop(task.id, None)
                self._state.put(
                    task, status=status, ended=at, reason=reason, pending=0, not_before=None
                )
                count += 1
        return count

    def reopen(self, run: str) -> int:
        found = self._state.of_run(run, *_REOPENED)
        for task in found:
            self._state.outputs.pop(task.id, None)
            self._state.awaits.pop(task.id, None)
            self._state.put(
                task,
                status=TaskStatus.OPEN if task.expanded else TaskStatus.PENDING,
                total=task.total if task.expanded else None,
                tries=0, lost=0, not_before=None, reason=None, source=None, error=None,
                started=None, ended=None,
            )  # fmt: skip
        for task in self._state.of_run(run, *_COUNTED):
            pending = self._state.waits_for(task)
            at_work = task.status is TaskStatus.OPEN or task.expanded
            waiting = TaskStatus.OPEN if at_work else TaskStatus.PENDING
            status = waiting if pending else TaskStatus.READY
            self._state.put(task, status=status, pending=pending)
        return len(found)

    def take_over(self, dead: Sequence[str], engine: str) -> list[Attempt]:
        found = [
            msgspec.structs.replace(attempt, epoch=attempt.epoch + 1, engine=engine)
            for attempt in self._state.at_work()
            if attempt.engine in dead
        ]
        self._state.attempts.update({attempt.id: attempt for attempt in found})
        return found

    def engines(self) -> list[str]:
        found = {attempt.engine for attempt in self._state.at_work()}
        for run in self._state.runs.values():
            driver = self._state.drivers[run.id]
            if driver is not None and run.status not in RUN_ENDED:
                found.add(driver)
        return sorted(found)

    def _in(self, task: int, wanted: str, *status: TaskStatus) -> Task:
        old = self._state.tasks.get(task)
        if old is None or old.status not in status:
            raise not_movable(task, wanted)
        return old

    def _refused(self, error: E) -> E:
        """A change that a database refuses undoes its transaction, even if the error is caught."""
        self.failed = True
        return error
