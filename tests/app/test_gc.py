from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.services.podman import Podman

from mainspring.app.gc import Policy, collect
from mainspring.app.project import Project
from mainspring.execution import container_engine, containers
from mainspring.execution.attempt_files import AttemptFiles
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import ConflictError
from mainspring.records.runs import Run
from mainspring.records.status import RunStatus, TaskStatus, Wish
from mainspring.records.stores import NewTask

NOW = 1_000_000.0


@pytest.fixture
def opened(project: Path) -> Project:
    return Project(project)


def add_run(project: Project, name: str, *, source: str | None = None, ended: float = NOW) -> str:
    """A finished run with one task, whose output it returns the digest of."""
    digest, size = project.blobs.put(name.encode())
    _, snapshot = project.snapshot()
    run = Run(
        id=name, pipeline="p", status=RunStatus.QUEUED, wish=Wish.RUN, spec="spec",
        snapshot=snapshot, parameters={}, seed=0, created=ended,
    )  # fmt: skip
    ref = ArtifactRef(digest=digest, size=size, format="text")
    task = NewTask(
        path="t", node="t", kind="step", status=TaskStatus.REUSED, source=source,
        outputs={"result": ref}, at=ended,
    )  # fmt: skip
    with project.store.write() as tx:
        tx.add_run(run, b"{}")
        tx.add_tasks(name, [task])
        tx.move_run(name, RunStatus.SUCCEEDED, ended)
    return digest


def names(project: Project, policy: Policy, *, dry_run: bool = True) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in collect(project, policy, dry_run=dry_run, grace=-60.0).items:
        found.setdefault(item.kind, []).append(item.name)
    return found


def test_what_nothing_names_goes_and_what_a_run_names_stays(opened: Project) -> None:
    kept = add_run(opened, "run-1")
    waste, _ = opened.blobs.put(b"waste")
    assert names(opened, Policy(), dry_run=False) == {"blob": [waste]}
    assert opened.blobs.has(kept)
    assert not opened.blobs.has(waste)
    assert opened.blobs.has(opened.store.read.run("run-1").snapshot)


def test_young_blobs_stay(opened: Project) -> None:
    opened.blobs.put(b"about to be named")
    assert collect(opened, Policy(), dry_run=False).items == []


def test_old_runs_go_with_their_blobs_but_never_the_newest(opened: Project) -> None:
    old = add_run(opened, "run-1", ended=NOW)
    new = add_run(opened, "run-2", ended=NOW + 1)
    assert names(opened, Policy(older_than=60.0, keep=1), dry_run=False) == {
        "run": ["run-1"], "blob": [old],
    }  # fmt: skip
    assert opened.blobs.has(new)
    assert [run.id for run in opened.store.read.runs(_all())] == ["run-2"]


def test_a_run_that_a_newer_one_has_reused_stays(opened: Project) -> None:
    add_run(opened, "run-1", ended=NOW)
    add_run(opened, "run-2", ended=time.time(), source="run-1/t")
    assert names(opened, Policy(older_than=60.0, keep=0)) == {}


def test_directories(opened: Project) -> None:
    add_run(opened, "run-1")
    for place in ("attempts/none.1.1", "snapshots/0123"):
        (opened.home / place).mkdir()
        (opened.home / place / "file").write_text("x")
        os.chmod(opened.home / place, 0o500)
    assert names(opened, Policy(), dry_run=False) == {
        "attempt": ["attempts/none.1.1"], "snapshot": ["snapshots/0123"],
    }  # fmt: skip
    assert names(opened, Policy()) == {}


def test_refused_while_an_engine_is_alive(opened: Project) -> None:
    opened.leases.hold("engine-1")
    with pytest.raises(ConflictError, match="at work"):
        names(opened, Policy())
    opened.leases.release("engine-1")
    names(opened, Policy())


def _all() -> object:
    from mainspring.records.stores import RunFilter

    return RunFilter()


@pytest.mark.system("podman")
def test_a_container_that_nobody_has_removed_goes(opened: Project, podman: Podman) -> None:
    files = AttemptFiles(opened.home, "gone.1.1")
    files.create()
    name = containers._name(files)
    podman("run", "--detach", "--network=none", "--name", name, "shell:1", "sleep", "1000")
    Path(files.container).write_text(podman.url)
    found = names(opened, Policy(), dry_run=True)
    assert found["container"] == ["attempts/gone.1.1/container"]
    assert podman.names() == [name]
    names(opened, Policy(), dry_run=False)
    assert podman.names() == []
    assert not Path(files.directory).exists()
    container_engine.forget()
