"""The queue: every move of a task and an attempt that docs/protocol.md allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import ConflictError
from mainspring.records.runs import Attempt, Outcome, Task, TaskError
from mainspring.records.status import AttemptStatus, TaskStatus
from mainspring.storage.nouns import Reading, Writing
from mainspring.storage.rows import (
    artifact_rows,
    attempt_of,
    attempt_row,
    json_or_null,
    json_text,
    seed_text,
    task_of,
)
from mainspring.storage.statements import statements

_SQL = statements("tasks", "queue")
_ATTEMPTS = statements("attempts")
_DRIVERS = statements("runs")["drivers"]

FEW = 100  # an open map with fewer ready children than this is due for its next chunk


def not_movable(task: int, wanted: str) -> ConflictError:
    """The error for a move that does not fit the task's present state."""
    return ConflictError(f"task {task} is not {wanted} any more")


class AttemptReader(Reading):
    """Attempts as they are recorded."""

    def attempts(self, task: int) -> list[Attempt]:
        return [attempt_of(row) for row in self._db.rows(_ATTEMPTS["of_task"], (task,))]

    def running_attempts(self, run: str) -> list[Attempt]:
        return [attempt_of(row) for row in self._db.rows(_ATTEMPTS["running"], (run,))]


class Claiming(Writing):
    """Finding ready tasks and starting them."""

    def ready(
        self,
        runs: Sequence[str],
        at: float,
        limit: int,
        skip: Sequence[int] = (),
        without: Sequence[str] = (),
    ) -> list[Task]:
        # One search for each run: over several at once, SQLite would sort all that are ready.
        left_out = frozenset(skip)
        nodes = json_text(list(without))
        found = [
            task_of(row)
            for run in runs
            for row in self._db.rows(_SQL["ready"], (run, nodes, limit + len(left_out)))
            if row[0] not in left_out
        ]
        late = self.delayed(runs, at, limit + len(left_out)) if at > 0 else []
        found += [t for t in late if t.id not in left_out and t.node not in without]
        if len(runs) > 1 or late:
            found.sort(key=lambda task: task.id)
        return found[:limit]

    def delayed(self, runs: Sequence[str], until: float, limit: int) -> list[Task]:
        rows = (row for run in runs for row in self._db.rows(_SQL["delayed"], (run, until, limit)))
        return [task_of(row) for row in rows]

    def next_ready(self, runs: Sequence[str]) -> float | None:
        earliest: float | None = None
        for run in runs:
            if self._db.rows(_SQL["ready_now"], (run,)):
                return 0.0
            at: float | None = self._db.rows(_SQL["next_ready"], (run,))[0][0]
            if at is not None and (earliest is None or at < earliest):
                earliest = at
        return earliest

    def begin(
        self,
        attempt: Attempt,
        key: str,
        static: str,
        seed: int,
        inputs: Mapping[str, tuple[str, str]],
        reason: str,
    ) -> bool:
        values = (
            key, static, str(seed), json_text(inputs), reason, attempt.started, attempt.task,
        )  # fmt: skip
        if not self._db.change(_SQL["begin"], values):
            return False
        self._db.later(_ATTEMPTS["add"], attempt_row(attempt))
        return True

    def park(self, task: int, reason: str, key: str | None) -> None:
        if not self._db.change(_SQL["park"], (reason, key, task)):
            raise not_movable(task, "ready")

    def computing(self, key: str) -> str | None:
        row = self._db.row(_SQL["computing"], (key,))
        return None if row is None else row[0]

    def open(self, task: int, total: int, expanded: int, pending: int) -> None:
        values = {"task": task, "total": total, "expanded": expanded, "pending": pending}
        if not self._db.change(_SQL["open"], values):
            raise not_movable(task, "ready or open")

    def open_maps(self, runs: Sequence[str]) -> list[Task]:
        found = [
            task_of(row) for run in runs for row in self._db.rows(_SQL["open_maps"], (run, FEW - 1))
        ]
        found.sort(key=lambda task: task.id)
        return found


class Settling(Writing):
    """Ending attempts and tasks, and releasing what waited for them."""

    def finish(self, attempt: str, engine: str, epoch: int, outcome: Outcome) -> Task | None:
        values = (
            outcome.status.value,
            outcome.ended,
            json_or_null(outcome.error),
            json_text(outcome.usage),
            attempt,
            engine,
            epoch,
        )
        if not self._db.change(_ATTEMPTS["finish"], values):
            return None
        task = task_of(self._db.rows(_SQL["of_attempt"], (attempt,))[0])
        if outcome.status is AttemptStatus.SUCCEEDED:
            self._db.later(_SQL["add_expected"], (outcome.usage.wall, task.id))
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
        values = (status.value, at, reason, source, json_or_null(error), task)
        if not self._db.change(_SQL["settle"], values):
            return False
        if key is not None or static is not None or seed is not None or inputs is not None:
            given = None if inputs is None else json_text(inputs)
            self._db.later(_SQL["set_key"], (key, static, seed_text(seed), given, task))
        if outputs:
            self._db.many(_SQL["add_artifact"], artifact_rows(task, outputs))
        self._db.later(_SQL["release"], (task,))
        self._db.later(_SQL["release_parent"], (task,))
        return True

    def again(self, task: int, at: float | None, *, tries: int, lost: int) -> None:
        if not self._db.change(_SQL["again"], (at, tries, lost, task)):
            raise not_movable(task, "running")

    def wake(self, key: str) -> int:
        return self._db.change(_SQL["wake"], (key,))

    def wake_stale(self, runs: Sequence[str]) -> int:
        return sum(self._db.change(_SQL["wake_stale"], (run,)) for run in runs)

    def settle_all(self, run: str, status: TaskStatus, at: float, reason: str) -> int:
        return self._db.change(_SQL["settle_all"], (status.value, at, reason, run))

    def reopen(self, run: str) -> int:
        self._db.change(_SQL["reopen_artifacts"], (run,))
        count = self._db.change(_SQL["reopen"], (run,))
        self._db.change(_SQL["recount"], (run,))
        self._db.change(_SQL["restate"], (run,))
        return count

    def unsettled(self, run: str) -> int:
        return self._db.rows(_SQL["unsettled"], (run,))[0][0]

    def any_status(self, run: str, status: TaskStatus) -> bool:
        return bool(self._db.rows(_SQL["any_status"], (run, status.value))[0][0])


class Watching(Writing):
    """Whose attempts are at work, and taking them over from the dead."""

    def running(self, runs: Sequence[str]) -> list[Attempt]:
        return [
            attempt_of(row) for run in runs for row in self._db.rows(_ATTEMPTS["running"], (run,))
        ]

    def take_over(self, dead: Sequence[str], engine: str) -> list[Attempt]:
        return [
            attempt_of(row)
            for gone in dead
            for row in self._db.rows(_ATTEMPTS["take_over"], (engine, gone))
        ]

    def engines(self) -> list[str]:
        rows = self._db.rows(_ATTEMPTS["engines"]) + self._db.rows(_DRIVERS)
        return sorted({row[0] for row in rows})
