"""The contents of an in-memory store: plain containers of immutable records."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.datasets import DatasetVersion
from mainspring.records.facts import Fact
from mainspring.records.imports import Import
from mainspring.records.metrics import Medium, Point
from mainspring.records.models import AliasMove, ModelVersion
from mainspring.records.plan import Cached
from mainspring.records.runs import Attempt, Run, Task, Verdict
from mainspring.records.source import Static
from mainspring.records.status import TASK_SETTLED, AttemptStatus, TaskStatus
from mainspring.records.stores import KeyParts, Upstream
from mainspring.storage.runs import no_run
from mainspring.storage.tasks import no_task

Inputs = dict[str, tuple[str, str]]


@dataclass
class State:
    """What is recorded. Values are never changed in place, so a shallow copy is a snapshot."""

    runs: dict[str, Run] = field(default_factory=dict[str, Run])
    drivers: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    specs: dict[str, bytes] = field(default_factory=dict[str, bytes])
    statics: dict[str, Static] = field(default_factory=dict[str, Static])
    tasks: dict[int, Task] = field(default_factory=dict[int, Task])
    paths: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    inputs: dict[int, Inputs] = field(default_factory=dict[int, Inputs])
    awaits: dict[int, str] = field(default_factory=dict[int, str])
    outputs: dict[int, dict[str, ArtifactRef]] = field(
        default_factory=dict[int, dict[str, ArtifactRef]]
    )
    edges: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    attempts: dict[str, Attempt] = field(default_factory=dict[str, Attempt])
    ingested: dict[str, int] = field(default_factory=dict[str, int])
    results: list[Cached] = field(default_factory=list[Cached])
    divergences: list[tuple[str, str, str, str]] = field(
        default_factory=list[tuple[str, str, str, str]]
    )
    expected: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    verdicts: list[tuple[str, Verdict]] = field(default_factory=list[tuple[str, Verdict]])
    series: dict[tuple[str, int, str, str], tuple[Point, ...]] = field(
        default_factory=dict[tuple[str, int, str, str], tuple[Point, ...]]
    )
    media: list[tuple[str, Medium]] = field(default_factory=list[tuple[str, Medium]])
    datasets: dict[str, int] = field(default_factory=dict[str, int])
    versions: dict[int, DatasetVersion] = field(default_factory=dict[int, DatasetVersion])
    models: dict[int, ModelVersion] = field(default_factory=dict[int, ModelVersion])
    aliases: list[AliasMove] = field(default_factory=list[AliasMove])
    facts: dict[str, dict[str, tuple[Fact, int | None]]] = field(
        default_factory=dict[str, dict[str, "tuple[Fact, int | None]"]]
    )
    notes: dict[str, str] = field(default_factory=dict[str, str])
    datasets: dict[str, int] = field(default_factory=dict[str, int])
    versions: dict[int, DatasetVersion] = field(default_factory=dict[int, DatasetVersion])
    imports: dict[str, Import] = field(default_factory=dict[str, Import])

    commits: int = 0

    def copy(self) -> State:
        return State(**{f.name: copy(getattr(self, f.name)) for f in fields(self)})

    def run(self, run: str) -> Run:
        if run not in self.runs:
            raise no_run(run)
        return self.runs[run]

    def task(self, task: int) -> Task:
        if task not in self.tasks:
            raise no_task(task)
        return self.tasks[task]

    def put(self, task: Task, **changes: Any) -> None:
        self.tasks[task.id] = msgspec.structs.replace(task, **changes)

    def of_run(self, run: str, *status: TaskStatus) -> list[Task]:
        found = [t for t in self.tasks.values() if t.run == run]
        found.sort(key=lambda task: task.id)
        return [t for t in found if t.status in status] if status else found

    def children(self, parent: int) -> list[Task]:
        return [t for t in self.tasks.values() if t.parent == parent]

    def tried(self, task: int) -> list[Attempt]:
        found = [a for a in self.attempts.values() if a.task == task]
        return sorted(found, key=lambda attempt: attempt.number)

    def at_work(self, run: str | None = None) -> list[Attempt]:
        running = [a for a in self.attempts.values() if a.status is AttemptStatus.RUNNING]
        return sorted(
            (a for a in running if run is None or a.run == run), key=lambda attempt: attempt.task
        )

    def seen(self, task: Task) -> Upstream:
        return Upstream(status=task.status, outputs=self.outputs.get(task.id, {}))

    def waits_for(self, task: Task) -> int:
        """What `pending` has to be: the unsettled children, or else the unsettled dependencies."""
        if task.status is TaskStatus.OPEN or task.expanded:
            missing = max(0, (task.total or 0) - task.expanded)
            return missing + sum(c.status not in TASK_SETTLED for c in self.children(task.id))
        ups = (self.tasks[up] for up, down in self.edges if down == task.id)
        return sum(up.status not in TASK_SETTLED for up in ups)

    def key_parts(self, task: Task) -> KeyParts | None:
        static = self.statics.get(task.static or "")
        if task.key is None or static is None:
            return None
        return KeyParts(
            run=task.run,
            path=task.path,
            key=task.key,
            static=static,
            inputs=self.inputs.get(task.id, {}),
            seed=task.seed,
        )

    def newest_series(self, run: str) -> Iterator[tuple[Task, str, tuple[Point, ...]]]:
        """(task, name, points) of the newest attempt that logged each metric, in order."""
        newest = {(task, name): at for (r, task, at, name) in self.series if r == run}
        keys = [key for key in self.series if newest.get((key[1], key[3])) == key[2]]
        for key in sorted(keys, key=lambda key: key[1]):
            if key[0] == run:
                yield self.tasks[key[1]], key[3], self.series[key]
