"""The stages of one pipeline of `workloads.SHAPES`, with attempts that end as soon as they start.

python scale_stages.py SHAPE STEPS      (in a project; prints one line of JSON, seconds)
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mainspring.app.pipelines import load_pipeline
from mainspring.app.planning import make_plan
from mainspring.app.project import Project
from mainspring.app.running import create_run, load_context
from mainspring.app.showing import run_detail
from mainspring.cli.planned import import_from
from mainspring.execution.engine import Engine
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.ports import Capacity
from mainspring.records.runs import Order, Outcome, Run, Usage
from mainspring.records.status import AttemptStatus
from mainspring.storage.serializers import registry


class Instant:
    """Stands for the workers: every attempt returns the same value at once."""

    def __init__(self, value: ArtifactRef) -> None:
        self._value = value
        self._ended: list[Outcome] = []

    def capacity(self) -> Capacity:
        return Capacity(cpus=2, memory=1 << 34)

    def prepare(self, snapshot: str, modules: Sequence[str]) -> None:
        pass

    def launch(self, orders: Sequence[Order]) -> None:
        now = time.time()
        self._ended += [
            Outcome(
                attempt=order.attempt, status=AttemptStatus.SUCCEEDED, started=now, ended=now,
                usage=Usage(wall=0.001), outputs=dict.fromkeys(order.outputs, self._value),
            )
            for order in orders
        ]  # fmt: skip

    def wait(self, timeout: float) -> list[Outcome]:  # noqa: ARG002
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


def drive(project: Project, run: Run) -> None:
    """Run it, without workers."""
    executor = Instant(registry.dump(1, int, project.blobs))
    engine = Engine(
        project.store, executor, project.leases, project.journal,
        lambda found, tx: load_context(project, found, tx), id=f"bench-{run.id}",
    )  # fmt: skip
    engine.drive([run.id])


def main(shape: str, steps: int) -> dict[str, float]:
    """Seconds of each stage, and bytes of the spec."""
    root = Path.cwd()
    shutil.rmtree(root / ".mainspring", ignore_errors=True)
    text = (root / "pipeline.py").read_text().partition("# size:")[0]
    (root / "pipeline.py").write_text(f"{text}# size:\nmain = {shape}({steps})\n")
    project = Project.find()
    manifest, snapshot = project.snapshot()
    directory = project.materialise(snapshot)
    import_from(directory, manifest, project.root)
    found: dict[str, float] = {}

    def timed(name: str, call: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        made = call()
        found[name] = time.perf_counter() - start
        return made

    spec = timed("trace", lambda: load_pipeline(project, "pipeline:main", directory))
    project.code(snapshot, manifest)
    planned = timed("plan", lambda: make_plan(project, spec, snapshot, {}))
    run = timed("record", lambda: create_run(project, planned))
    timed("drive", lambda: drive(project, run))
    timed("show", lambda: run_detail(project, run))
    timed("replan", lambda: make_plan(project, spec, snapshot, {}))
    found["spec"] = len(planned.spec_bytes)
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
