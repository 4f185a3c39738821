from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from tests.services.podman import Podman
from tests.services.postgres import Postgres
from tests.services.s3 import new_bucket

from mainspring.app.gc import AT_ONCE, LISTED, Policy, collect
from mainspring.app.occupancy import in_use
from mainspring.app.project import Project
from mainspring.execution import container_engine, containers
from mainspring.execution.attempt_files import AttemptFiles
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.canonical import digest_bytes
from mainspring.records.errors import ConflictError
from mainspring.records.runs import Run
from mainspring.records.status import RunStatus, TaskStatus, Wish
from mainspring.records.stores import NewTask, Transaction
from mainspring.storage.serializers import registry

NOW = 1_000_000.0


@pytest.fixture
def opened(project: Path) -> Project:
    return Project(project)


def add_run(
    project: Project,
    name: str,
    *,
    source: str | None = None,
    ended: float = NOW,
    outputs: dict[str, ArtifactRef] | None = None,
) -> str:
    """A finished run with one task, whose output it returns the digest of."""
    digest, size = project.blobs.put(name.encode())
    ref = ArtifactRef(digest=digest, size=size, format="text")
    _, snapshot = project.snapshot()
    with project.store.write() as tx:
        _record(tx, snapshot, name, ended, {"result": ref, **(outputs or {})}, source)
    return digest


def _record(
    tx: Transaction,
    snapshot: str,
    name: str,
    ended: float,
    outputs: dict[str, ArtifactRef] | None = None,
    source: str | None = None,
) -> None:
    run = Run(
        id=name, pipeline="p", status=RunStatus.QUEUED, wish=Wish.RUN, spec="spec",
        snapshot=snapshot, parameters={}, seed=0, created=ended,
    )  # fmt: skip
    digest = digest_bytes(name.encode())
    task = NewTask(
        path="t", node="t", kind="step", status=TaskStatus.REUSED, source=source,
        outputs=outputs or {"result": ArtifactRef(digest=digest, size=1, format="text")}, at=ended,
    )  # fmt: skip
    tx.add_run(run, b"{}")
    tx.add_tasks(name, [task])
    tx.move_run(name, RunStatus.SUCCEEDED, ended)


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


# Nothing that somebody is about to need goes, whenever they begin.


def at_look(project: Project, monkeypatch: pytest.MonkeyPatch, number: int, work: Any) -> list[int]:
    """Have `work` done at the `number`-th time that `gc` looks for engines."""
    looks: list[int] = []
    living = project.leases.living

    def looked() -> list[str]:
        looks.append(1)
        if len(looks) == number:
            work()
        return living()

    monkeypatch.setattr(project.leases, "living", looked)
    return looks


def test_refused_while_a_run_is_prepared(opened: Project) -> None:
    with in_use(opened.home), pytest.raises(ConflictError, match="another Mainspring"):
        names(opened, Policy())


def test_what_a_run_names_meanwhile_stays(opened: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Project(opened.root)
    run_meanwhile(opened, other, monkeypatch)
    other.close()


@pytest.mark.system("postgres")
def test_what_a_run_from_another_machine_names_meanwhile_stays(
    tmp_path: Path, postgres: Postgres, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a home, and a lock, of its own; it shares records and values."""
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    new_bucket("gc-shared", s3)
    settings = f'[storage]\nstore = "{postgres.new_database()}"\nblobs = "s3://gc-shared/p"\n'
    pair: list[Project] = []
    for name in ("here", "there"):
        root = tmp_path / name
        root.mkdir()
        (root / "mainspring.toml").write_text(f'[project]\nname = "demo"\n{settings}')
        pair.append(Project(root))
    run_meanwhile(*pair, monkeypatch)
    for project in pair:
        project.close()


def run_meanwhile(here: Project, there: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    add_run(here, "run-1")
    wanted, _ = here.blobs.put(b"run-2")
    listed = registry.dump(["inside of a list"], list[str], here.blobs)
    waste, _ = here.blobs.put(b"waste")
    before = {blob.digest for blob in here.blobs.listing()}
    assert set(names(here, Policy())["blob"]) >= {wanted, listed.digest, waste}
    at_look(here, monkeypatch, 2, lambda: add_run(there, "run-2", outputs={"more": listed}))
    assert names(here, Policy(), dry_run=False) == {"blob": [waste]}
    assert before - {blob.digest for blob in here.blobs.listing()} == {waste}
    assert registry.load(listed, here.blobs) == ["inside of a list"]


def test_an_engine_that_begins_meanwhile_ends_it(
    opened: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_run(opened, "run-1")
    waste = {opened.blobs.put(str(number).encode())[0] for number in range(AT_ONCE + 10)}
    other = Project(opened.root)
    at_look(opened, monkeypatch, 3, lambda: other.leases.hold("engine-1"))
    with pytest.raises(ConflictError, match="at work"):
        names(opened, Policy(), dry_run=False)
    left = waste & {blob.digest for blob in opened.blobs.listing()}
    assert len(left) == 10
    other.leases.release("engine-1")
    other.close()
    assert set(names(opened, Policy(), dry_run=False)["blob"]) == left


def test_old_runs_keep_what_others_share(opened: Project) -> None:
    """A blob that both a run that goes and one that stays have made is one blob."""
    shared = registry.dump([1.5], list[float], opened.blobs)
    add_run(opened, "run-1", ended=NOW, outputs={"more": shared})
    add_run(opened, "run-2", ended=NOW + 1, outputs={"more": shared})
    names(opened, Policy(older_than=60.0, keep=1), dry_run=False)
    assert registry.load(shared, opened.blobs) == [1.5]
    add_run(opened, "run-3", ended=NOW + 2)
    assert shared.digest in names(opened, Policy(older_than=60.0, keep=1))["blob"]
    names(opened, Policy(older_than=60.0, keep=1), dry_run=False)
    assert not opened.blobs.has(shared.digest)


# However much there is.


def test_much_is_counted_and_some_is_listed(opened: Project) -> None:
    for number in range(LISTED + 5):
        opened.blobs.put(str(number).encode())
    view = collect(opened, Policy(), dry_run=True, grace=-60.0)
    assert (view.count, len(view.items), view.cut) == (LISTED + 5, LISTED, ["items"])
    assert view.size > sum(item.size for item in view.items)
    assert collect(opened, Policy(), dry_run=False, grace=-60.0).count == LISTED + 5
    assert list(opened.blobs.listing()) == []


def peak(project: Project, many: int) -> int:
    """Bytes of Python's memory that a `gc` of a home of so many runs needs at its peak."""
    _, snapshot = project.snapshot()
    with project.store.write() as tx:
        for number in range(many):
            _record(tx, snapshot, f"run-{number:06}", NOW + number)
    for number in range(many):
        (project.home / "attempts" / f"gone-{number}").mkdir()
        place = project.home / "blobs" / "blake3" / f"{number % 256:02x}"
        place.mkdir(exist_ok=True)
        (place / f"{number:062x}").write_bytes(b"x")
    gc.collect()
    tracemalloc.start()
    try:
        found = collect(project, Policy(older_than=60.0, keep=many // 2), dry_run=True, grace=-60.0)
        assert found.count == many // 2 + 2 * many
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def peaks(folder: str) -> None:
    """Print the peaks of a home and of one with three times as much."""
    measured: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mainspring.app.gc.PART", 250)
        for many in (1_500, 4_500):
            root = Path(folder, str(many))
            root.mkdir()
            (root / "mainspring.toml").write_text('[project]\nname = "demo"\n', encoding="utf-8")
            project = Project(root)
            measured.append(peak(project, many))
            project.close()
    print(*measured)


def test_memory_does_not_grow_with_what_there_is(tmp_path: Path) -> None:
    # In a process of its own: the threads of other tests' servers allocate memory too.
    words = [sys.executable, "-c", f"from {__name__} import peaks; peaks({str(tmp_path)!r})"]
    root = Path(__file__).parents[2]
    done = subprocess.run(words, cwd=root, check=True, capture_output=True, text=True)
    small, large = map(int, done.stdout.split())
    assert large < 1.2 * small


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


def test_a_container_whose_engine_is_away_is_left_and_named(opened: Project) -> None:
    files = AttemptFiles(opened.home, "gone.1.1")
    files.create()
    Path(files.container).write_text("unix:///nowhere/podman.sock")
    os.utime(files.directory, (0, 0))
    found = collect(opened, Policy(), dry_run=False, grace=-1)
    assert found.left == ["attempts/gone.1.1/container"]
    assert not [item for item in found.items if item.kind in ("container", "attempt")]
    assert Path(files.container).exists()
    container_engine.forget()


def test_copies_of_data_go(opened: Project) -> None:
    copy = opened.home / "cache" / "sources" / "abc" / "data"
    copy.mkdir(parents=True)
    (copy / "x").write_text("x")
    found = collect(opened, Policy(), dry_run=False, grace=-60.0)
    assert [(item.kind, item.name) for item in found.items] == [("copy", "cache/sources/abc")]
    assert not copy.exists()
