"""The ports of the metadata store: readers apart from the writer, by noun (no I/O here)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.conditions import Search
from mainspring.records.datasets import DatasetReads, DatasetWrites
from mainspring.records.facts import Fact
from mainspring.records.imports import ImportReads, ImportWrites
from mainspring.records.metrics import Medium, MetricSummary, Point
from mainspring.records.models import ModelReads, ModelWrites
from mainspring.records.plan import Cached
from mainspring.records.runs import Attempt, Outcome, Run, Task, TaskError, Verdict
from mainspring.records.source import Static
from mainspring.records.status import RunStatus, TaskStatus, Wish
from mainspring.records.verdicts import VerificationReader, VerificationWriter


class NewTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task to be inserted. `inputs` maps input names to (digest, short text)."""

    path: str
    node: str
    kind: str
    status: TaskStatus
    pending: int = 0
    parent: int | None = None
    index: int | None = None
    key: str | None = None
    static: str | None = None
    seed: int | None = None
    inputs: dict[str, tuple[str, str]] = {}
    outputs: dict[str, ArtifactRef] = {}
    source: str | None = None
    reason: str | None = None
    at: float | None = None


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """What a dependant sees of a task: its status, and its outputs if it has any."""

    status: TaskStatus
    outputs: dict[str, ArtifactRef] = {}


class KeyParts(msgspec.Struct, frozen=True, kw_only=True):
    """What a task's key was made of, for explanations. `inputs` as in NewTask."""

    run: str
    path: str
    key: str
    static: Static
    inputs: dict[str, tuple[str, str]]
    seed: int | None


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs to list, newest first."""

    pipeline: str | None = None
    status: tuple[RunStatus, ...] = ()
    prefix: str | None = None
    limit: int = 50


class History(Protocol):
    """What planning reads of the past."""

    def lookup(self, key: str) -> Sequence[Cached]:
        """Results recorded for a key, the first committed first."""
        ...

    def previous(self, pipeline: str, path: str) -> KeyParts | None:
        """The key parts of the latest task at this path that has a key."""
        ...

    def expected(self, pipeline: str) -> Mapping[str, float]:
        """Seconds of wall clock of the latest success, by task node."""
        ...


class Transaction(History, DatasetWrites, ModelWrites, ImportWrites, VerificationWriter, Protocol):
    """One atomic set of changes. Times are seconds since the epoch."""

    def add_run(self, run: Run, spec: bytes) -> None: ...
    def add_static(self, digest: str, static: Static) -> None: ...
    def add_tasks(self, run: str, tasks: Sequence[NewTask]) -> list[int]: ...
    def add_edges(self, edges: Sequence[tuple[int, int]]) -> None:
        """(upstream task, dependant) pairs."""
        ...

    def get_run(self, run: str) -> Run: ...
    def move_run(self, run: str, status: RunStatus, at: float, reason: str | None = None) -> None:
        """Sets `started` at the first `running`, `ended` with an ended status (else clears it)."""
        ...

    def set_wish(self, run: str, wish: Wish) -> None: ...
    def set_driver(self, run: str, engine: str | None) -> None:
        """Which engine works on the run, for display only."""
        ...

    def ready(
        self,
        runs: Sequence[str],
        at: float,
        limit: int,
        skip: Sequence[int] = (),
        without: Sequence[str] = (),
    ) -> list[Task]:
        """Ready tasks of these runs (whose wish is `run`) that need not wait longer, in order;
        none of `skip`, and none of the nodes `without`. With `at` 0 only those that never had to
        wait, in a time that does not depend on how many have to."""
        ...

    def delayed(self, runs: Sequence[str], until: float, limit: int) -> list[Task]:
        """Ready tasks that have to wait for a time, `until` at most; of each run the first
        `limit` of them, the one that waits least first."""
        ...

    def next_ready(self, runs: Sequence[str]) -> float | None:
        """The earliest `not_before` of their ready tasks (0 if one may start now)."""
        ...

    def task(self, task: int) -> Task: ...
    def inputs_of(self, task: int) -> dict[str, tuple[str, str]]: ...
    def upstream(self, task: int) -> dict[str, Upstream]:
        """By path, the tasks that this one has edges from."""
        ...

    def tasks_by_path(self, run: str, paths: Sequence[str]) -> dict[str, tuple[int, Upstream]]: ...
    def child_outputs(
        self, parent: int
    ) -> Iterator[tuple[int, TaskStatus, dict[str, ArtifactRef]]]:
        """(index, status, outputs) of the children, by index; some are read at a time."""
        ...

    def begin(
        self,
        attempt: Attempt,
        key: str,
        static: str,
        seed: int,
        inputs: Mapping[str, tuple[str, str]],
        reason: str,
    ) -> bool:
        """Ready -> running, with a new attempt; False if the task was not ready any more."""
        ...

    def finish(self, attempt: str, engine: str, epoch: int, outcome: Outcome) -> Task | None:
        """Compare-and-set of the attempt; its task, or None if it was fenced or settled."""
        ...

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
        """Settle an unsettled task (False if it was settled) and release its dependants and its
        parent: each count falls by one, and at zero the task becomes ready."""
        ...

    def again(self, task: int, at: float | None, *, tries: int, lost: int) -> None:
        """Running -> ready, not before a time."""
        ...

    def park(self, task: int, reason: str, key: str | None) -> None:
        """Ready -> waiting (for a key, or for a condition)."""
        ...

    def computing(self, key: str) -> str | None:
        """`run/path` of a running task with this key.

        "" where that can't be told now, since another transaction is deciding on the key: the
        task should stay as it is, and be considered again.
        """
        ...

    def wake(self, key: str) -> int:
        """Waiting for this key -> ready."""
        ...

    def wake_stale(self, runs: Sequence[str]) -> int:
        """Waiting, in these runs, for a key that no running task has any more -> ready."""
        ...

    def open(self, task: int, total: int, expanded: int, pending: int) -> None:
        """Ready -> open; or an open task's new numbers. With pending 0 it becomes ready."""
        ...

    def open_maps(self, runs: Sequence[str]) -> list[Task]:
        """Open maps with elements not yet expanded, and few children that may start now."""
        ...

    def add_result(self, cached: Cached) -> str | None:
        """Record a result for its key; the `run/path` of an earlier, different result if any."""
        ...

    def add_verdict(self, verdict: Verdict) -> Verdict:
        """Append to the chain; returned with its digest and its predecessor's."""
        ...

    def unsettled(self, run: str) -> int:
        """1 if the run has a task that is not settled, else 0."""
        ...

    def any_status(self, run: str, status: TaskStatus) -> bool: ...
    def running(self, runs: Sequence[str]) -> list[Attempt]: ...
    def settle_all(self, run: str, status: TaskStatus, at: float, reason: str) -> int:
        """Settle every unsettled task that has no running attempt (used by cancel)."""
        ...

    def reopen(self, run: str) -> int:
        """failed, blocked, cancelled -> pending or ready with true counts; how many."""
        ...

    def take_over(self, dead: Sequence[str], engine: str) -> list[Attempt]:
        """Running attempts of dead engines: epoch + 1, engine = this one."""
        ...

    def engines(self) -> list[str]:
        """Engines that have running attempts or runs on record."""
        ...

    def add_points(
        self, run: str, task: int, attempt: str, points: Sequence[Point], offset: int
    ) -> None:
        """Append scalar points; `offset` is how much of the attempt's file is now ingested."""
        ...

    def points_offset(self, attempt: str) -> int: ...
    def add_media(self, run: str, task: int, media: Sequence[Medium]) -> None: ...
    def set_tags(self, run: str, tags: Mapping[str, str | None]) -> None:
        """Set some of a run's tags; None takes one away. Raises NotFoundError."""
        ...

    def set_note(self, run: str, note: str) -> None:
        """Set a run's note; an empty one takes it away. Raises NotFoundError."""
        ...

    def delete_run(self, run: str) -> None: ...


class Mentioned(msgspec.Struct, frozen=True, kw_only=True):
    """What a part of the records speaks of.

    `blobs` are (run, digest, format, size), with an empty format where none is on record, and an
    empty run where they are of a dataset or model;
    `attempts` (run, attempt, whether it has ended); `sources` (run, run whose result it reused).
    """

    runs: list[Run]
    blobs: list[tuple[str, str, str, int]]
    attempts: list[tuple[str, str, bool]]
    sources: list[tuple[str, str]]


class Reader(History, DatasetReads, ModelReads, ImportReads, VerificationReader, Protocol):
    """Everything that is asked of the past, outside of a transaction."""

    def run(self, run: str) -> Run: ...
    def find_run(self, text: str) -> Run:
        """By id, unique prefix, or `latest`. Raises NotFoundError."""
        ...

    def runs(self, want: RunFilter) -> list[Run]: ...
    def search(self, want: Search) -> list[Run]:
        """Runs of which a condition holds, in the order that is asked for."""
        ...

    def spec(self, digest: str) -> bytes: ...
    def driver(self, run: str) -> str | None: ...
    def tasks(
        self,
        run: str,
        *,
        parent: int | None = None,
        status: TaskStatus | None = None,
        limit: int | None = None,
        after: int = 0,
    ) -> list[Task]:
        """Tasks in order, from the first id above `after`; only children of `parent`, or only
        those in one state, when given (not both)."""
        ...

    def top_tasks(self, run: str) -> list[Task]:
        """All tasks but the elements of maps, in order."""
        ...

    def elements(self, parent: int, first: int, limit: int) -> list[Task]:
        """Elements of a map from index `first` on, in order."""
        ...

    def find_task(self, run: str, path: str) -> Task: ...
    def edges(self, run: str) -> list[tuple[int, int]]: ...
    def counts(self, run: str) -> dict[int | None, dict[TaskStatus, int]]:
        """Number of tasks by parent and status."""
        ...

    def attempts(self, task: int) -> list[Attempt]: ...
    def outputs(self, task: int) -> dict[str, ArtifactRef]: ...
    def artifacts(self, run: str, *, elements: bool = True) -> list[tuple[str, str, ArtifactRef]]:
        """(task path, output name, ref); without those of maps' elements if so asked."""
        ...

    def makers(self, digest: str, limit: int) -> list[Task]:
        """Tasks of all runs with an artifact whose digest begins so, each once, oldest first."""
        ...

    def key_parts(self, task: int) -> KeyParts | None: ...
    def verdicts(self, run: str) -> list[Verdict]: ...
    def all_verdicts(self) -> list[Verdict]: ...
    def divergences(self, run: str) -> list[tuple[str, str, str]]:
        """(task path, output or key, where the first result came from)."""
        ...

    def metrics(
        self, run: str, *, task: int | None = None, limit: int | None = None
    ) -> list[MetricSummary]:
        """In order of the tasks; only those of `task` when given."""
        ...

    def points(self, run: str, task: str, name: str) -> list[Point]: ...
    def media(
        self, run: str, *, task: int | None = None, limit: int | None = None
    ) -> list[Medium]: ...
    def facts(self, runs: Sequence[str]) -> dict[str, dict[str, Fact]]:
        """What is found of each run (records/facts.py): last values of metrics as they are
        logged, those of reused tasks from the run's end on, parameters, and tags."""
        ...

    def notes(self, runs: Sequence[str]) -> dict[str, str]:
        """The notes of those that have one."""
        ...

    def running_attempts(self, run: str) -> list[Attempt]: ...
    def referenced(self) -> set[str]:
        """Every blob digest that the store speaks of directly."""
        ...

    def extent(self) -> int:
        """A number above those of all records. What is added later has a higher one than what
        was there of its kind."""
        ...

    def mentioned(self, first: int, last: int) -> Mentioned:
        """What the records with numbers from `first` to before `last` speak of."""
        ...

    def version(self) -> int:
        """A number that changes whenever another connection has committed."""
        ...


class Store(Protocol):
    """A metadata store: any number of readers; writers of the same run take turns."""

    @property
    def read(self) -> Reader: ...
    def write(self, runs: Sequence[str] = ()) -> AbstractContextManager[Transaction]:
        """A transaction: committed durably when the block ends, undone when it raises.

        `runs` are those whose tasks it moves: two transactions that name the same run follow
        one another (in an embedded store all do). Raises StoreUnavailableError.
        """
        ...

    def close(self) -> None: ...


class Leases(Protocol):
    """Who is alive. An engine holds its lease from `hold` to `release` or its process's death,
    of which others learn at once or, from another machine, after a while."""

    def hold(self, engine: str) -> None: ...
    def release(self, engine: str) -> None:
        """Never raises because the store is away: the lease then runs out."""
        ...

    def alive(self, engine: str) -> bool: ...
    def living(self) -> list[str]:
        """Every engine that is alive."""
        ...

    def close(self) -> None: ...
