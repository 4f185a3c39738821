"""A store with a long past: runs put on record by the store's own moves, without running them.

    python past.py COUNT [--files]      (in a project; prints one line of JSON)

Every run has the three tasks of `workloads.PAST`: `load` (from the second run on reused from the
first), `train` and `score` with an attempt, a key, an output and a cache entry of their own. Every
50th run failed in `train`, so that `score` is blocked. Only the first COUNT/10 runs are of
`other`, an older pipeline; all others are of `past`. With `--files` each attempt has its directory
and each output its blob, as after real runs.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from mainspring.app.planning import Planned, make_plan
from mainspring.app.project import Project
from mainspring.cli.planned import import_from
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.canonical import digest_bytes
from mainspring.records.plan import Cached
from mainspring.records.runs import Attempt, Outcome, Run, TaskError, Usage
from mainspring.records.status import AttemptStatus, RunStatus, TaskStatus, Wish
from mainspring.records.stores import NewTask, Transaction

AT_ONCE = 1000
"""Runs in one transaction."""

APART = 30.0
"""Seconds from one run to the next."""


class Past:
    """Writes runs that look as if the engine had made them."""

    def __init__(self, project: Project, planned: Planned, count: int, *, files: bool) -> None:
        self.project = project
        self.planned = planned
        self.count = count
        self.files = files
        self.now = time.time() - APART * (count + 1)
        self.statics = {t.path: t.static for t in planned.plan.tasks if t.static}
        self.static = next(iter(self.statics.values()))

    def write(self) -> None:
        """Write all runs, a thousand in a transaction."""
        works = self.planned.spec.steps
        statics = [self.planned.context.static(work) for work in works]
        for start in range(0, self.count, AT_ONCE):
            with self.project.store.write() as tx:
                for digest, body in statics:
                    tx.add_static(digest, body)
                for number in range(start, min(self.count, start + AT_ONCE)):
                    self._write_run(tx, number)

    def _write_run(self, tx: Transaction, number: int) -> None:
        at = self.now + APART * number
        run = Run(
            id=f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(at))}-{number:06d}",
            pipeline="other" if number < self.count // 10 else "past",
            status=RunStatus.QUEUED,
            wish=Wish.RUN,
            spec=self.planned.plan.spec,
            snapshot=self.planned.plan.snapshot,
            parameters={"turn": number},
            seed=0,
            created=at,
        )
        tx.add_run(run, self.planned.spec_bytes)
        tx.move_run(run.id, RunStatus.RUNNING, at)
        [load, train, score] = tx.add_tasks(run.id, self._tasks(number, at))
        tx.add_edges([(load, train), (train, score)])
        failed = number % 50 == 49
        if number == 0:
            self._attempt(tx, run, load, "load", at)
        self._attempt(tx, run, train, "train", at + 1, failed=failed)
        if failed:
            tx.settle(score, TaskStatus.BLOCKED, at + 2, reason="train failed")
        else:
            self._attempt(tx, run, score, "score", at + 2)
        tx.move_run(run.id, RunStatus.FAILED if failed else RunStatus.SUCCEEDED, at + 3)
        if number == 0:
            self.first = run.id

    def _tasks(self, number: int, at: float) -> list[NewTask]:
        waits = TaskStatus.PENDING
        load = NewTask(path="load", node="load", kind="step", status=TaskStatus.READY)
        if number:
            load = NewTask(
                path="load", node="load", kind="step", status=TaskStatus.REUSED, key=_name("load"),
                static=self.static, seed=0, outputs={"result": _ref("load")},
                source=f"{self.first}/load", reason="same code, inputs and parameters", at=at,
            )  # fmt: skip
        return [
            load,
            NewTask(
                path="train", node="train", kind="step",
                status=TaskStatus.READY if number else waits, pending=0 if number else 1,
            ),
            NewTask(path="score", node="score", kind="step", status=waits, pending=1),
        ]  # fmt: skip

    def _attempt(
        self, tx: Transaction, run: Run, task: int, path: str, at: float, *, failed: bool = False
    ) -> None:
        name = f"{run.id}.{task}.1"
        key = _name(path if path == "load" else f"{path}{run.id}")
        inputs = {"x": (_name(f"input of {key}"), "1.0")}
        attempt = Attempt(
            id=name, task=task, run=run.id, number=1, status=AttemptStatus.RUNNING,
            engine="past", epoch=1, started=at,
        )  # fmt: skip
        tx.begin(attempt, key, self.static, 0, inputs, "not computed before")
        status = AttemptStatus.FAILED if failed else AttemptStatus.SUCCEEDED
        error = (
            TaskError(kind="ValueError", message="no", where="pipeline.py:9") if failed else None
        )
        outcome = Outcome(
            attempt=name, status=status, usage=Usage(wall=1.0, cpu=1.0), ended=at + 1, error=error
        )
        tx.finish(name, "past", 1, outcome)
        if self.files:
            folder = self.project.home / "attempts" / name
            folder.mkdir()
            (folder / "log").write_text("")
            (folder / "outcome.json").write_text("{}")
        if failed:
            tx.settle(task, TaskStatus.FAILED, at + 1, error=error)
            return
        outputs = {"result": self._output("load" if path == "load" else f"{path}{run.id}")}
        tx.settle(task, TaskStatus.SUCCEEDED, at + 1, outputs=outputs)
        tx.add_result(
            Cached(
                key=key, run=run.id, task=path, attempt=name, outputs=outputs,
                reads={}, impure=(), ended=at + 1, wall=1.0,
            )
        )  # fmt: skip

    def _output(self, text: str) -> ArtifactRef:
        if self.files:
            self._put(text.encode())
        return _ref(text)

    def _put(self, data: bytes) -> None:
        """Like a blob that was written long ago (fsync for each of them would take minutes)."""
        digest = digest_bytes(data)[7:]
        place = self.project.home / "blobs" / "blake3" / digest[:2]
        place.mkdir(parents=True, exist_ok=True)
        (place / digest[2:]).write_bytes(data)


def _name(text: str) -> str:
    return digest_bytes(text.encode())


def _ref(text: str) -> ArtifactRef:
    data = text.encode()
    return ArtifactRef(digest=digest_bytes(data), size=len(data), format="text", type="str")


def write_past(root: Path, count: int, *, files: bool = False) -> None:
    """Give the project at `root` (of `workloads.PAST`) a past of `count` runs."""
    from mainspring.app.pipelines import load_pipeline

    project = Project.find(root)
    try:
        manifest, snapshot = project.snapshot()
        directory = project.materialise(snapshot)
        import_from(directory, manifest, project.root)
        spec = load_pipeline(project, None, directory)
        planned = make_plan(project, spec, snapshot, {"turn": 0})
        Past(project, planned, count, files=files).write()
    finally:
        project.close()


if __name__ == "__main__":
    begun = time.perf_counter()
    write_past(Path.cwd(), int(sys.argv[1]), files="--files" in sys.argv)
    print(json.dumps({"seconds": time.perf_counter() - begun}))
