"""The in-memory store's transaction: changes to a copy of the state, kept when the block ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import ConflictError
from mainspring.records.facts import number_fact, parameter_facts
from mainspring.records.imports import Import
from mainspring.records.metrics import Medium, Point
from mainspring.records.plan import Cached
from mainspring.records.runs import Attempt, Run, Task, Verdict
from mainspring.records.source import Static
from mainspring.records.status import (
    RUN_ENDED,
    TASK_SETTLED,
    RunStatus,
    TaskStatus,
    Wish,
)
from mainspring.records.stores import NewTask, Upstream
from mainspring.storage.decisions import chain_of, linked
from mainspring.storage.results import comparable, differing
from mainspring.testing.datasets import MemoryDatasetChanges
from mainspring.testing.facts import MemoryAnnotations, add_reused, set_fact
from mainspring.testing.models import MemoryModelChanges
from mainspring.testing.queue import MemoryQueue


class MemoryTransaction(MemoryQueue, MemoryAnnotations, MemoryDatasetChanges, MemoryModelChanges):
    """One atomic set of changes (records.stores.Transaction)."""

    def add_run(self, run: Run, spec: bytes) -> None:
        if run.id in self._state.runs:
            raise self._refused(ConflictError(f"there is a run {run.id!r} already"))
        self._state.specs.setdefault(run.spec, spec)
        self._state.runs[run.id] = run
        self._state.drivers[run.id] = None
        facts = parameter_facts(run.parameters)
        self._state.facts[run.id] = {name: (fact, None) for name, fact in facts.items()}

    def add_static(self, digest: str, static: Static) -> None:
        self._state.statics.setdefault(digest, static)

    def add_tasks(self, run: str, tasks: Sequence[NewTask]) -> list[int]:
        state = self._state
        state.run(run)
        first = max(state.tasks, default=0) + 1
        for task, new in enumerate(tasks, first):
            if (run, new.path) in state.paths:
                raise self._refused(ConflictError(f"run {run} has a task {new.path!r} already"))
            state.paths[run, new.path] = task
            state.tasks[task] = _task_of(task, run, new)
            state.inputs[task] = dict(new.inputs)
            state.outputs[task] = dict(new.outputs)
        return list(range(first, first + len(tasks)))

    def add_edges(self, edges: Sequence[tuple[int, int]]) -> None:
        for edge in edges:
            if edge in self._state.edges or not self._state.tasks.keys() >= set(edge):
                raise self._refused(ConflictError(f"the edge {edge} can't be added"))
            self._state.edges.add(edge)

    def get_run(self, run: str) -> Run:
        return self._state.run(run)

    def move_run(self, run: str, status: RunStatus, at: float, reason: str | None = None) -> None:
        old = self._state.run(run)
        started = at if status is RunStatus.RUNNING and old.started is None else old.started
        ended = at if status in RUN_ENDED else None
        self._state.runs[run] = msgspec.structs.replace(
            old, status=status, reason=reason, started=started, ended=ended
        )
        if status in RUN_ENDED:
            add_reused(self._state, run)

    def set_wish(self, run: str, wish: Wish) -> None:
        self._state.runs[run] = msgspec.structs.replace(self._state.run(run), wish=wish)

    def set_driver(self, run: str, engine: str | None) -> None:
        self._state.drivers[self._state.run(run).id] = engine

    def task(self, task: int) -> Task:
        return self._state.task(task)

    def inputs_of(self, task: int) -> dict[str, tuple[str, str]]:
        return dict(self._state.inputs.get(self._state.task(task).id, {}))

    def upstream(self, task: int) -> dict[str, Upstream]:
        ups = sorted(up for up, down in self._state.edges if down == task)
        found = [self._state.tasks[up] for up in ups]
        return {up.path: self._state.seen(up) for up in found}

    def tasks_by_path(self, run: str, paths: Sequence[str]) -> dict[str, tuple[int, Upstream]]:
        ids = {path: self._state.paths.get((run, path)) for path in paths}
        return {
            path: (task, self._state.seen(self._state.tasks[task]))
            for path, task in ids.items()
            if task is not None
        }

    def child_outputs(
        self, parent: int
    ) -> Iterator[tuple[int, TaskStatus, dict[str, ArtifactRef]]]:
        found = [
            (task.index, task.id, task.status)
            for task in self._state.children(parent)
            if task.index is not None
        ]
        return iter(
            [
                (index, status, dict(self._state.outputs.get(task, {})))
                for index, task, status in sorted(found)
            ]
        )

    def add_result(self, cached: Cached) -> str | None:
        first = comparable(self.lookup(cached.key), cached)
        self._state.results.append(cached)
        names = differing(first.outputs, cached.outputs) if first is not None else []
        if first is None or not names:
            return None
        source = f"{first.run}/{first.task}"
        self._state.divergences += [(cached.run, cached.task, name, source) for name in names]
        return source

    def add_verdict(self, verdict: Verdict) -> Verdict:
        chain = chain_of(self._state.run(verdict.run).pipeline)
        links = [link.digest for name, link in self._state.verdicts if name == chain]
        link, _ = linked(verdict, links[-1] if links else "")
        self._state.verdicts.append((chain, link))
        return link

    def add_points(
        self, run: str, task: int, attempt: str, points: Sequence[Point], offset: int
    ) -> None:
        for point in points:
            series = (run, task, attempt, point.name)
            self._state.series[series] = (*self._state.series.get(series, ()), point)
            set_fact(self._state, run, f"metrics.{point.name}", number_fact(point.value), task)
        if attempt in self._state.attempts:
            self._state.ingested[attempt] = offset

    def points_offset(self, attempt: str) -> int:
        return self._state.ingested.get(attempt, 0)

    def add_media(self, run: str, task: int, media: Sequence[Medium]) -> None:
        path = self._state.task(task).path
        self._state.media += [(run, msgspec.structs.replace(m, task=path)) for m in media]

    def add_import(self, found: Import) -> None:
        if found.run in self._state.imports:
            raise self._refused(ConflictError(f"run {found.run!r} was imported already"))
        self._state.imports[found.run] = found

    def restore(self, tasks: Sequence[Task], attempts: Sequence[Attempt]) -> None:
        for task in tasks:
            self._state.put(task)
        self._state.attempts |= {attempt.id: attempt for attempt in attempts}

    def add_divergences(self, run: str, found: Sequence[tuple[str, str, str]]) -> None:
        self._state.divergences += [(run, *row) for row in found]

    def delete_run(self, run: str) -> None:
        state = self._state
        gone = state.run(run)
        tasks = {task.id for task in state.of_run(run)}
        del state.runs[run], state.drivers[run], state.facts[run]
        state.notes.pop(run, None)
        if all(other.spec != gone.spec for other in state.runs.values()):
            del state.specs[gone.spec]
        for table in (state.tasks, state.inputs, state.awaits, state.outputs):
            for task in tasks & table.keys():
                del table[task]
        state.paths = {name: task for name, task in state.paths.items() if name[0] != run}
        state.edges = {edge for edge in state.edges if not tasks & set(edge)}
        state.attempts = {name: a for name, a in state.attempts.items() if a.run != run}
        state.ingested = {n: at for n, at in state.ingested.items() if n in state.attempts}
        state.results = [cached for cached in state.results if cached.run != run]
        state.divergences = [row for row in state.divergences if row[0] != run]
        state.series = {name: points for name, points in state.series.items() if name[0] != run}
        state.media = [row for row in state.media if row[0] != run]
        state.imports.pop(run, None)


def _task_of(task: int, run: str, new: NewTask) -> Task:
    return Task(
        id=task,
        run=run,
        path=new.path,
        node=new.node,
        kind=new.kind,
        status=new.status,
        pending=new.pending,
        parent=new.parent,
        index=new.index,
        key=new.key,
        static=new.static,
        seed=new.seed,
        source=new.source,
        reason=new.reason,
        ended=new.at if new.status in TASK_SETTLED else None,
    )
