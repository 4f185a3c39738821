"""Short ways to make the records that the store's contract is tested with."""

from __future__ import annotations

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.datasets import DatasetVersion
from mainspring.records.metrics import Medium
from mainspring.records.models import ModelVersion
from mainspring.records.plan import Cached
from mainspring.records.runs import Attempt, Outcome, Run, Usage, Verdict
from mainspring.records.source import CodePart, Static
from mainspring.records.status import AttemptStatus, RunStatus, TaskStatus, Wish
from mainspring.records.stores import NewTask, Store, Transaction

S = TaskStatus
STATIC = Static(
    code=(CodePart(name="train", digest="blake3:c", where="steps.py:1"),),
    environment={"numpy": "2.1.0"},
    options={"version": "1"},
    variables={},
    platform="linux-x86_64-3.11",
    semantics=1,
)


def a_run(name: str = "r1", **changes: object) -> Run:
    run = Run(
        id=name,
        pipeline="digits",
        status=RunStatus.QUEUED,
        wish=Wish.RUN,
        spec="blake3:spec",
        snapshot="blake3:snapshot",
        parameters={"c": 1.0, "names": ["a", None]},
        seed=2**64 - 1,
        created=100.0,
    )
    return msgspec.structs.replace(run, **changes)


def new(path: str, status: TaskStatus = S.READY, **more: object) -> NewTask:
    task = NewTask(path=path, node=path.partition("[")[0], kind="step", status=status)
    return msgspec.structs.replace(task, **more)


def ref(name: str = "1", **more: object) -> ArtifactRef:
    return msgspec.structs.replace(
        ArtifactRef(digest=f"blake3:{name}", size=10, format="json", type="int"), **more
    )


def attempt(task: int, name: str = "a1", **changes: object) -> Attempt:
    made = Attempt(
        id=name,
        task=task,
        run="r1",
        number=1,
        status=AttemptStatus.RUNNING,
        engine="e1",
        epoch=1,
        started=5.0,
    )
    return msgspec.structs.replace(made, **changes)


def outcome(name: str = "a1", status: AttemptStatus = AttemptStatus.SUCCEEDED, **more: object):
    made = Outcome(attempt=name, status=status, usage=Usage(wall=2.5, cpu=1.0), ended=9.0)
    return msgspec.structs.replace(made, **more)


def cached(key: str = "k", run: str = "r1", digest: str = "1", **more: object) -> Cached:
    made = Cached(
        key=key,
        run=run,
        task="train",
        attempt="a1",
        outputs={"result": ref(digest)},
        reads={"data.csv": "blake3:d"},
        impure=("clock",),
        ended=9.0,
        wall=2.5,
    )
    return msgspec.structs.replace(made, **more)


def verdict(run: str = "r1", **more: object) -> Verdict:
    made = Verdict(
        run=run,
        task="accuracy",
        name="accuracy",
        kind="model",
        passed=True,
        on_fail="stop",
        condition="steps.scores.accuracy >= 0.95",
        values={"steps.scores.accuracy": 0.97},
        evidence={"steps.scores.accuracy": "blake3:1"},
        at=10.0,
    )
    return msgspec.structs.replace(made, **more)


def start(tx: Transaction, task: int, name: str = "a1", **more: object) -> bool:
    """Begin an attempt; `more` are changes of the attempt, or `key`."""
    key = more.pop("key", "k")
    assert isinstance(key, str)
    return tx.begin(
        attempt(task, name, **more), key, "blake3:static", 7, {"x": ("blake3:x", "1.0")}, "new"
    )


def filled(store: Store, *tasks: NewTask, run: str = "r1", **changes: object) -> list[int]:
    """A run with these tasks; their ids."""
    with store.write() as tx:
        tx.add_run(a_run(run, **changes), b"{}")
        return tx.add_tasks(run, list(tasks))


def states(store: Store, run: str = "r1") -> dict[str, tuple[str, int]]:
    """(status, pending) by path."""
    return {task.path: (task.status.value, task.pending) for task in store.read.tasks(run)}


def figure() -> Medium:
    return Medium(
        task="train",
        attempt="a1",
        name="confusion",
        kind="figure",
        digest="blake3:png",
        size=9,
        mime="image/png",
        step=1.0,
    )


def dataset_version(digest: str = "1", **more: object) -> DatasetVersion:
    made = DatasetVersion(
        dataset="digits",
        digest=f"blake3:{digest}",
        ref=ArtifactRef(
            digest=f"blake3:manifest-{digest}", size=50, format="directory", type="pathlib.Path"
        ),
        created=100.5,
        files=3,
        size=2**40,
        origin="data/digits",
    )
    return msgspec.structs.replace(made, **more)


def model_version(digest: str = "1", **more: object) -> ModelVersion:
    made = ModelVersion(
        model="bert",
        digest=f"blake3:{digest}",
        ref=ArtifactRef(
            digest=f"blake3:model-{digest}", size=70, format="directory", type="pathlib.Path"
        ),
        created=200.5,
        files=2,
        size=2**41,
        licence="Apache-2.0",
        origin="models/bert",
        digests=(f"sha256:{digest}",),
    )
    return msgspec.structs.replace(made, **more)
