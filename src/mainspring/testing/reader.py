"""The in-memory store's readers: what is committed (and, for History, a transaction's own)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import NotFoundError
from mainspring.records.imports import Import
from mainspring.records.metrics import Medium, MetricSummary, Point
from mainspring.records.plan import Cached
from mainspring.records.runs import Attempt, Run, Task, Verdict
from mainspring.records.status import TaskStatus
from mainspring.records.stores import KeyParts, Mentioned, RunFilter
from mainspring.records.verdicts import Exactness, Verification
from mainspring.storage.runs import no_latest, pick_run
from mainspring.storage.tasks import no_path
from mainspring.testing.datasets import MemoryDatasets
from mainspring.testing.facts import MemoryFacts
from mainspring.testing.models import MemoryModels
from mainspring.testing.state import State

T = TypeVar("T")


class MemoryHistory:
    """What planning reads of the past."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._now = state

    def lookup(self, key: str) -> Sequence[Cached]:
        return [cached for cached in self._now().results if cached.key == key]

    def previous(self, pipeline: str, path: str) -> KeyParts | None:
        state = self._now()
        tasks = [t for t in state.tasks.values() if t.path == path and t.key is not None]
        runs = state.runs
        for task in sorted(tasks, key=lambda t: (runs[t.run].created, t.id), reverse=True):
            parts = state.key_parts(task)
            if runs[task.run].pipeline == pipeline and parts is not None:
                return parts
        return None

    def expected(self, pipeline: str) -> Mapping[str, float]:
        return {node: wall for (p, node), wall in self._now().expected.items() if p == pipeline}


class MemoryReader(MemoryHistory, MemoryFacts, MemoryDatasets, MemoryModels):
    """Reads what is committed (records.stores.Reader)."""

    def run(self, run: str) -> Run:
        return self._now().run(run)

    def find_run(self, text: str) -> Run:
        runs = self._newest_first()
        if text != "latest":
            return pick_run(text, [run for run in runs if run.id.startswith(text)])
        if not runs:
            raise no_latest()
        return runs[0]

    def runs(self, want: RunFilter) -> list[Run]:
        return [
            run
            for run in self._newest_first()
            if want.pipeline in (None, run.pipeline)
            and (not want.status or run.status in want.status)
            and run.id.startswith(want.prefix or "")
        ][: want.limit]

    def spec(self, digest: str) -> bytes:
        specs = self._now().specs
        if digest not in specs:
            raise NotFoundError(f"there is no pipeline spec {digest!r}")
        return specs[digest]

    def driver(self, run: str) -> str | None:
        state = self._now()
        return state.drivers[state.run(run).id]

    def tasks(
        self,
        run: str,
        *,
        parent: int | None = None,
        status: TaskStatus | None = None,
        limit: int | None = None,
        after: int = 0,
    ) -> list[Task]:
        found = [task for task in self._now().of_run(run) if task.id > after]
        found = [task for task in found if status in (None, task.status)]
        return [task for task in found if parent in (None, task.parent)][:limit]

    def top_tasks(self, run: str) -> list[Task]:
        return [task for task in self._now().of_run(run) if task.index is None]

    def elements(self, parent: int, first: int, limit: int) -> list[Task]:
        pairs = [(t.index, t) for t in self._now().children(parent) if t.index is not None]
        found = sorted((index, t.id, t) for index, t in pairs if index >= first)
        return [task for _, _, task in found[:limit]]

    def find_task(self, run: str, path: str) -> Task:
        state = self._now()
        if (run, path) not in state.paths:
            raise no_path(run, path, [task.path for task in self.top_tasks(run)])
        return state.tasks[state.paths[run, path]]

    def edges(self, run: str) -> list[tuple[int, int]]:
        state = self._now()
        return sorted(edge for edge in state.edges if state.tasks[edge[0]].run == run)

    def counts(self, run: str) -> dict[int | None, dict[TaskStatus, int]]:
        found: dict[int | None, dict[TaskStatus, int]] = {}
        for task in self._now().of_run(run):
            group = found.setdefault(task.parent, {})
            group[task.status] = group.get(task.status, 0) + 1
        return found

    def attempts(self, task: int) -> list[Attempt]:
        return self._now().tried(task)

    def outputs(self, task: int) -> dict[str, ArtifactRef]:
        return dict(self._now().outputs.get(task, {}))

    def makers(self, digest: str, limit: int) -> list[Task]:
        state = self._now()
        digits = digest.removeprefix("blake3:")
        found = [
            state.tasks[task]
            for task, refs in sorted(state.outputs.items())
            if any(ref.digest[7:].startswith(digits) for ref in refs.values())
        ]
        return found[:limit]

    def artifacts(self, run: str, *, elements: bool = True) -> list[tuple[str, str, ArtifactRef]]:
        state = self._now()
        return [
            (task.path, name, ref)
            for task in (state.of_run(run) if elements else self.top_tasks(run))
            for name, ref in state.outputs.get(task.id, {}).items()
        ]

    def key_parts(self, task: int) -> KeyParts | None:
        state = self._now()
        return state.key_parts(state.tasks[task]) if task in state.tasks else None

    def verdicts(self, run: str) -> list[Verdict]:
        return [verdict for verdict in self.all_verdicts() if verdict.run == run]

    def all_verdicts(self) -> list[Verdict]:
        return [verdict for _, verdict in self._now().verdicts]

    def verifications(self, run: str, limit: int = 20) -> list[Verification]:
        return [found for found in self._now().verifications if found.run == run][-limit:]

    def verified(self, runs: Sequence[str]) -> dict[str, Exactness]:
        found = (one for one in self._now().verifications if not one.only)
        return {one.run: one.verdict for one in found if one.run in runs}

    def divergences(self, run: str) -> list[tuple[str, str, str]]:
        return [(task, out, src) for r, task, out, src in self._now().divergences if r == run]

    def metrics(
        self, run: str, *, task: int | None = None, limit: int | None = None
    ) -> list[MetricSummary]:
        series = self._now().newest_series(run)
        found = [_summary(t.path, name, ps) for t, name, ps in series if task in (None, t.id)]
        return found[:limit]

    def points(self, run: str, task: str, name: str) -> list[Point]:
        for owner, series, points in self._now().newest_series(run):
            if owner.path == task and series == name:
                return list(points)
        return []

    def media(self, run: str, *, task: int | None = None, limit: int | None = None) -> list[Medium]:
        state = self._now()
        found = [medium for r, medium in state.media if r == run]
        if task is not None:
            wanted = state.tasks[task].path if task in state.tasks else None
            found = [medium for medium in found if medium.task == wanted]
        return found[:limit]

    def running_attempts(self, run: str) -> list[Attempt]:
        return self._now().at_work(run)

    def imported(self, run: str) -> Import | None:
        return self._now().imports.get(run)

    def referenced(self) -> set[str]:
        state = self._now()
        found = {run.snapshot for run in state.runs.values()}
        found |= {ref.digest for outputs in state.outputs.values() for ref in outputs.values()}
        found |= {ref.digest for cached in state.results for ref in cached.outputs.values()}
        found |= {digest for inputs in state.inputs.values() for digest, _ in inputs.values()}
        found |= {medium.digest for _, medium in state.media}
        found |= {source.ref.digest for r in state.runs.values() for source in r.sources.values()}
        found |= {version.ref.digest for version in state.models.values()}
        return found | {blob[1] for blob in self.of_datasets(0, self.extent())}

    def extent(self) -> int:
        state = self._now()
        lengths = (len(state.runs), len(state.results), len(state.media))
        return 1 + max(*state.tasks, *state.versions, *state.models, *lengths)

    def mentioned(self, first: int, last: int) -> Mentioned:
        state = self._now()

        def part(items: Iterable[T]) -> list[T]:
            return [item for number, item in enumerate(items, 1) if first <= number < last]

        tasks = [task for task in state.tasks.values() if first <= task.id < last]
        refs = [(t.run, r) for t in tasks for r in state.outputs.get(t.id, {}).values()]
        refs += [(c.run, r) for c in part(state.results) for r in c.outputs.values()]
        runs = part(state.runs.values())
        refs += [(run.id, source.ref) for run in runs for source in run.sources.values()]
        refs += [("", v.ref) for n, v in state.models.items() if first <= n < last]
        inputs = [(t.run, digest) for t in tasks for digest, _ in state.inputs[t.id].values()]
        inputs += [(run, medium.digest) for run, medium in part(state.media)]
        return Mentioned(
            runs=runs,
            blobs=[(run, ref.digest, ref.format, ref.size) for run, ref in refs]
            + [(run, digest, "", 0) for run, digest in inputs]
            + self.of_datasets(first, last),
            attempts=[
                (task.run, attempt.id, attempt.ended is not None)
                for task in tasks
                for attempt in state.tried(task.id)
            ],
            sources=[(t.run, t.source.partition("/")[0]) for t in tasks if t.source],
        )

    def version(self) -> int:
        return self._now().commits

    def _newest_first(self) -> list[Run]:
        # Reversed first: of runs of one instant, the one added last comes first.
        runs = reversed(self._now().runs.values())
        return sorted(runs, key=lambda run: run.created, reverse=True)


def _summary(task: str, name: str, points: tuple[Point, ...]) -> MetricSummary:
    numbers = [point.value for point in points if not math.isnan(point.value)]
    return MetricSummary(
        task=task,
        name=name,
        last=points[-1].value,
        count=len(points),
        minimum=min(numbers, default=math.nan),
        maximum=max(numbers, default=math.nan),
        step=points[-1].step,
    )
