"""Executes attempts that are no part of a run: nothing of them gets into the records.

For verifying and for experiments. Orders are made elsewhere, admitted by what fits, launched on an
executor, and their outcomes handed back; what an attempt leaves in the home is removed.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

import msgspec

from mainspring.execution.admission import Admission, Grant, lacks
from mainspring.records.ports import Capacity, Executor
from mainspring.records.runs import Order, Outcome, TaskError
from mainspring.records.spec import Options
from mainspring.records.status import AttemptStatus

T = TypeVar("T")

PATIENCE = 1.0
"""Seconds for which one `wait` of an executor lasts at most, so that an interrupt is heard."""

LONGEST_END = 20.0
"""Seconds for which what is at work is waited for when it is ended: it is killed after two."""

_LOST = 3  # times that an attempt may die with its worker


class Task(msgspec.Struct, Generic[T]):
    """Something to execute, for the sake of `subject`; `make` gives the order for an attempt of
    that name."""

    subject: T
    options: Options
    make: Callable[[str, Grant], Order]
    tries: int = 0
    lost: int = 0


class Laboratory:
    """Attempts on an executor, under names that begin with `name`. A context manager: leaving it
    ends what is at work and removes what attempts have left."""

    def __init__(self, executor: Executor, capacity: Capacity, home: Path, name: str) -> None:
        self._executor = executor
        self._capacity = capacity
        self._admission = Admission(capacity)
        self._home = home
        self._name = name
        self._count = 0
        self._at_work: set[str] = set()
        self._interrupted = False

    def interrupt(self) -> None:
        """Have `execute` raise KeyboardInterrupt between two of its steps, where the executor
        knows of all that it has begun; safe from a signal handler."""
        self._interrupted = True
        self._executor.wake()

    def __enter__(self) -> Laboratory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._executor.terminate(sorted(self._at_work), AttemptStatus.CANCELLED)
        end = time.monotonic() + LONGEST_END
        while self._at_work and time.monotonic() < end:
            for outcome in self._executor.wait(PATIENCE):
                self._forget(outcome.attempt)

    def execute(self, tasks: Iterable[Task[T]]) -> Iterator[tuple[T, Outcome]]:
        """Execute each, as many at once as fit, and yield them with their outcomes, as they end.

        `tasks` is read only as far as there is room. One that fails is tried again as its options
        say, at once. One that asks for more than there is at all fails with kind "resources".
        """
        waiting = iter(tasks)
        held: Task[T] | None = next(waiting, None)
        running: dict[str, tuple[Task[T], Grant]] = {}
        while held is not None or running:
            if self._interrupted:
                raise KeyboardInterrupt
            while held is not None:
                lack = lacks(held.options, self._capacity)
                if lack:
                    yield held.subject, _refused(lack)
                elif not self._launch(held, running):
                    break
                held = next(waiting, None)
            for outcome in self._executor.wait(PATIENCE) if running else ():
                ended = running.pop(outcome.attempt, None)
                self._forget(outcome.attempt)
                if ended is None:
                    continue
                self._admission.give_back(ended[1])
                if not self._again(ended[0], outcome, running):
                    yield ended[0].subject, outcome
        if self._interrupted:
            raise KeyboardInterrupt

    def _launch(self, task: Task[T], running: dict[str, tuple[Task[T], Grant]]) -> bool:
        grant = self._admission.admit(task.options)
        if grant is None:
            return False
        self._count += 1
        name = f"{self._name}.{self._count}"
        running[name] = task, grant
        self._at_work.add(name)
        self._executor.launch([task.make(name, grant)])
        return True

    def _again(
        self, task: Task[T], outcome: Outcome, running: dict[str, tuple[Task[T], Grant]]
    ) -> bool:
        """Whether another attempt was begun in its place."""
        if outcome.status is AttemptStatus.LOST:
            task.lost += 1
            return task.lost < _LOST and self._launch(task, running)
        if outcome.status in (AttemptStatus.SUCCEEDED, AttemptStatus.CANCELLED):
            return False
        task.tries += 1
        return task.tries <= task.options.retries and self._launch(task, running)

    def _forget(self, attempt: str) -> None:
        self._at_work.discard(attempt)
        shutil.rmtree(self._home / "attempts" / attempt, ignore_errors=True)


def _refused(lack: str) -> Outcome:
    error = TaskError(kind="resources", message=lack, hint="verify where there is more")
    return Outcome(attempt="", status=AttemptStatus.FAILED, error=error)
