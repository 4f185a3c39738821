"""Executions of recorded tasks, for verifying them and for experiments with them.

Each set of conditions has an executor, and with it fresh processes, of its own. Nothing of it gets
into the records; what comes out is stored among the project's values, where it is the recorded
value itself if it is identical, and otherwise nobody's, so that `gc` removes it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from mainspring.app.planning import modules_of
from mainspring.app.project import Project
from mainspring.app.recorded import Recorded, RecordedRun
from mainspring.app.running import interruptible, new_run_id
from mainspring.execution import comparing
from mainspring.execution.admission import Grant
from mainspring.execution.laboratory import Laboratory, Task
from mainspring.records.artifacts import ArtifactRef, Stored
from mainspring.records.canonical import digest_of
from mainspring.records.runs import Order, Outcome
from mainspring.records.spec import Options
from mainspring.records.status import AttemptStatus
from mainspring.records.surroundings import Surroundings
from mainspring.records.verdicts import Comparison


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two values of one output that are to be compared."""

    recorded: ArtifactRef
    made: ArtifactRef


class Trials:
    """Executions of tasks of one run. `python` is the environment that they run in (None: the
    present one)."""

    def __init__(self, project: Project, recorded: RecordedRun, python: Path | None) -> None:
        self.project = project
        self.recorded = recorded
        self.python = python
        project.materialise(recorded.run.snapshot)

    def execute(
        self,
        tasks: Iterable[Recorded],
        conditions: Surroundings,
        *,
        python: Path | None = None,
        change: Mapping[str, int] = {},
        timeout: float | None = None,
    ) -> Iterator[tuple[Recorded, Outcome]]:
        """Execute each, and yield them as they end. `change` replaces fields of their orders (seed,
        threads); `timeout` is the longest that one may take, in seconds."""

        def order(recorded: Recorded, attempt: str, grant: Grant) -> Order:
            made = msgspec.structs.replace(recorded.order(attempt, grant), **change)
            limits = [limit for limit in (made.timeout, timeout) if limit is not None]
            return msgspec.structs.replace(made, timeout=min(limits, default=None))

        wanted = (
            Task(r, r.options, lambda attempt, grant, r=r: order(r, attempt, grant)) for r in tasks
        )
        executor = self.project.executor(python=python or self.python, conditions=conditions)
        capacity = self.project.capacity(executor)
        name = f"verify-{new_run_id(time.time())}"
        with (
            closing(executor),
            Laboratory(executor, capacity, self.project.home, name) as found,
            interruptible(found.interrupt, None),
        ):
            executor.prepare(self.recorded.run.snapshot, modules_of(self.recorded.graph.spec))
            yield from found.execute(wanted)

    def compare(self, pairs: Iterable[Pair]) -> Iterator[tuple[Pair, Comparison | str]]:
        """Say in what values differ, or why that can't be said; in workers, since values may be of
        classes of the project, or of packages that are not installed here."""

        def order(pair: Pair, attempt: str) -> Order:
            return Order(
                attempt=attempt,
                run=self.recorded.run.id,
                path="compare",
                node="compare",
                snapshot=self.recorded.run.snapshot,
                uses=comparing.PLACE,
                inputs={"recorded": Stored(ref=pair.recorded), "made": Stored(ref=pair.made)},
                outputs={"result": "any"},
            )

        tasks = (Task(pair, Options(), lambda name, _, p=pair: order(p, name)) for pair in pairs)
        executor = self.project.executor(python=self.python)
        capacity = self.project.capacity(executor)
        name = f"compare-{new_run_id(time.time())}"
        with (
            closing(executor),
            Laboratory(executor, capacity, self.project.home, name) as found,
            interruptible(found.interrupt, None),
        ):
            for pair, outcome in found.execute(tasks):
                yield pair, self._comparison(outcome)

    def _comparison(self, outcome: Outcome) -> Comparison | str:
        if outcome.status is not AttemptStatus.SUCCEEDED:
            return f"the values can't be compared: {failure_of(outcome)}"
        data = self.project.blobs.read(outcome.outputs["result"].digest)
        return msgspec.json.decode(data, type=Comparison)


def failure_of(outcome: Outcome) -> str:
    """Say why an attempt made nothing."""
    if outcome.error is None:
        return outcome.status.value
    where = f"{outcome.error.where}: " if outcome.error.where else ""
    return f"{where}{outcome.error.kind}: {outcome.error.message}"


def outputs_text(outputs: Mapping[str, ArtifactRef]) -> str:
    """A short text that is the same for the same outputs."""
    return digest_of(sorted((name, ref.digest) for name, ref in outputs.items()))[7:15]


def made_text(outcome: Outcome) -> str:
    """The same, of what an attempt has made; of one that failed, how."""
    if outcome.status is AttemptStatus.SUCCEEDED:
        return outputs_text(outcome.outputs)
    return f"failed ({outcome.error.kind if outcome.error else outcome.status.value})"
