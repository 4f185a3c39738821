"""Importing: a run that looks, and reruns, as where it was made; once, whole, and marked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.app.capsule.forging import forged
from tests.app.capsule.world import World
from tests.cli.conftest import SOURCE, call

from mainspring.app.capsule import importing, packing
from mainspring.app.capsule.collecting import past_of
from mainspring.app.capsule.importing import take
from mainspring.app.capsule.opening import Trust
from mainspring.app.capsule.writing import export
from mainspring.app.gc import Policy, collect
from mainspring.app.project import Project
from mainspring.records.canonical import canonical
from mainspring.records.errors import CapsuleError, ConflictError, NotFoundError
from mainspring.storage import signing
from mainspring.storage.keyring import Keyring


@pytest.fixture(autouse=True)
def _no_keys_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Callable[[], Project]]:
    """Makes projects with nothing in them."""
    opened: list[Project] = []

    def make() -> Project:
        root = tmp_path / f"empty{len(opened)}"
        root.mkdir()
        (root / "mainspring.toml").write_text('[project]\nname = "empty"\n')
        opened.append(Project(root))
        return opened[-1]

    yield make
    for project in opened:
        project.close()


def trusting(world: World) -> Trust:
    return Trust(keys=(signing.key_id(world.key.public_key()),))


def test_a_run_looks_as_where_it_was_made(world: World, empty: Callable[[], Project]) -> None:
    there = empty()
    view = take(there, world.capsule, trusting(world))
    assert (view.run, view.present, view.signer_name) == (world.run.id, False, None)
    read, here = there.store.read, world.project.store.read
    before, after = past_of(world.project, world.run), past_of(there, read.run(world.run.id))
    for name in ("run", "tasks", "statics", "results", "divergences", "media"):
        assert canonical(getattr(after, name)) == canonical(getattr(before, name)), name
    assert [v.values for v in after.verdicts] == [v.values for v in before.verdicts]
    assert repr(read.metrics(world.run.id)) == repr(here.metrics(world.run.id))
    for metric in here.metrics(world.run.id):
        points = read.points(world.run.id, metric.task, metric.name)
        assert repr(points) == repr(here.points(world.run.id, metric.task, metric.name))
    for _, _, ref in here.artifacts(world.run.id):
        assert there.blobs.read(ref.digest) == world.project.blobs.read(ref.digest)
    assert there.store.integrity() == []
    origin = read.imported(world.run.id)
    assert origin is not None
    assert (origin.signer, origin.pickles) == (view.signer, False)


def test_a_capsule_of_what_was_imported_is_the_same(
    world: World, empty: Callable[[], Project], tmp_path: Path
) -> None:
    there = empty()
    take(there, world.capsule, trusting(world))
    again = tmp_path / "again.crate.zip"
    export(there, there.store.read.run(world.run.id), again, key=world.key)
    assert again.read_bytes() == world.capsule.read_bytes()


def test_twice_is_no_more_than_once(world: World, empty: Callable[[], Project]) -> None:
    there = empty()
    take(there, world.capsule, trusting(world))
    before = there.store.read.imported(world.run.id)
    view = take(there, world.capsule, trusting(world))
    assert (view.present, view.values) == (True, 0)
    assert there.store.read.imported(world.run.id) == before
    assert len(there.store.read.tasks(world.run.id)) == view.tasks


def test_back_where_it_came_from_nothing_happens(world: World) -> None:
    view = take(world.project, world.capsule, trusting(world))
    assert (view.present, view.values) == (True, 0)
    assert world.project.store.read.imported(world.run.id) is None


def test_another_run_of_that_id_stays(
    world: World, empty: Callable[[], Project], tmp_path: Path
) -> None:
    there = empty()
    other = forged(
        world.capsule, tmp_path / "y.zip", world.key,
        records=lambda found: found["past"]["run"].update(seed=99),
    )  # fmt: skip
    take(there, other, trusting(world))
    with pytest.raises(ConflictError, match="not the same"):
        take(there, world.capsule, trusting(world))
    assert there.store.read.run(world.run.id).seed == 99


def test_values_that_were_left_out_come_later(
    world: World, empty: Callable[[], Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "LARGE", 10_000)
    small = tmp_path / "small.crate.zip"
    export(world.project, world.run, small, key=world.key, values=False)
    there = empty()
    view = take(there, small, trusting(world))
    [left_out] = view.left_out
    assert not there.blobs.has(left_out.digest)
    view = take(there, world.capsule, trusting(world))
    assert (view.present, view.values) == (True, 1)
    assert there.blobs.has(left_out.digest)


# Whose it is.


def test_who_is_trusted(world: World, empty: Callable[[], Project], tmp_path: Path) -> None:
    there = empty()
    with pytest.raises(CapsuleError) as caught:
        take(there, world.capsule, Trust())
    name = signing.key_id(world.key.public_key())
    assert caught.value.offence == "unknown signer"
    assert name in str(caught.value)
    pem = signing.public_pem(world.key.public_key())
    Keyring().trust("alice", pem, "file")
    assert take(there, world.capsule, Trust()).signer_name == "alice"


def test_unsigned_only_if_allowed_and_then_not_reused(
    world: World, empty: Callable[[], Project], tmp_path: Path
) -> None:
    plain = tmp_path / "plain.crate.zip"
    export(world.project, world.run, plain, key=None)
    there = empty()
    with pytest.raises(CapsuleError) as caught:
        take(there, plain, trusting(world))
    assert caught.value.offence == "not signed"
    view = take(there, plain, Trust(unsigned=True))
    assert view.signer is None
    [task] = [t for t in there.store.read.tasks(view.run) if t.path == "matrix"]
    assert task.key is not None
    assert there.store.read.lookup(task.key) == []


def test_a_rerun_computes_the_same(
    world: World, empty: Callable[[], Project], tmp_path: Path
) -> None:
    plain = tmp_path / "plain.crate.zip"
    export(world.project, world.run, plain, key=None)
    there = empty()
    take(there, plain, Trust(unsigned=True))
    done = call(there.root, "rerun", world.run.id, "-q", "--json")
    assert done.code == 0, done.err
    again = json.loads(done.out)
    assert "reused" not in again["counts"]
    read = there.store.read
    assert read.artifacts(again["run"]["id"]) == read.artifacts(world.run.id)
    diff = json.loads(call(there.root, "diff", world.run.id, "latest", "--json").out)
    assert (diff["artifacts"], diff["source"], diff["parameters"]) == ([], [], [])


def test_a_rerun_reuses_what_somebody_vouches_for(
    world: World, empty: Callable[[], Project]
) -> None:
    there = empty()
    take(there, world.capsule, trusting(world))
    again = json.loads(call(there.root, "rerun", world.run.id, "-q", "--json").out)
    assert again["counts"]["reused"] >= 5


def test_gc_keeps_what_was_imported(world: World, empty: Callable[[], Project]) -> None:
    there = empty()
    take(there, world.capsule, trusting(world))
    waste = collect(there, Policy(), dry_run=True, grace=-10.0)
    assert [item.name for item in waste.items if item.kind == "blob"] == []


# Whole or not at all.


def contents(project: Project) -> dict[str, int]:
    return {entry.digest: entry.size for entry in project.blobs.listing()}


def test_nothing_enters_before_everything_is_checked(
    world: World, empty: Callable[[], Project], tmp_path: Path
) -> None:
    there = empty()
    last = forged(
        world.capsule, tmp_path / "y.zip", world.key,
        records=lambda found: found["files"][-1].update(sha256="0" * 64),
    )  # fmt: skip
    with pytest.raises(CapsuleError) as caught:
        take(there, last, trusting(world))
    assert caught.value.offence == "wrong digest"
    assert contents(there) == {}
    assert list((there.home / "cache").glob("import-*")) == []
    with pytest.raises(NotFoundError):
        there.store.read.run(world.run.id)


KILLED = """\
import os, sys
from pathlib import Path
from mainspring.app.capsule import importing
from mainspring.app.capsule.opening import Trust
from mainspring.app.project import Project

root, capsule, key, where = sys.argv[1:]
module = importing if hasattr(importing, where) else importing._Taking
setattr(module, where, lambda *_, **__: os.kill(os.getpid(), 9))
importing.take(Project(Path(root)), Path(capsule), Trust(keys=(key,)))
"""


@pytest.mark.parametrize("where", ["check_values", "_publish", "record", "view"])
def test_killed_anywhere_it_is_there_or_not(
    world: World, empty: Callable[[], Project], tmp_path: Path, where: str
) -> None:
    there = empty()
    key = signing.key_id(world.key.public_key())
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    arguments = [str(there.root), str(world.capsule), key, where]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [sys.executable, str(script), *arguments], env=environment, check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    assert there.store.integrity() == []
    view = take(there, world.capsule, trusting(world))
    assert view.present == (where == "view")
    assert list((there.home / "cache").glob("import-*")) == []
    past_of(there, there.store.read.run(world.run.id))


def test_a_living_import_keeps_its_place(
    world: World, empty: Callable[[], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = empty()
    inner: list[Any] = []
    real = importing._publish

    def publish(project: Project, staged: Any) -> int:
        if not inner:
            inner.append(None)
            inner.append(take(project, world.capsule, trusting(world)))
        return real(project, staged)

    monkeypatch.setattr(importing, "_publish", publish)
    with pytest.raises(ConflictError):  # the other one was faster, and its record stands
        take(there, world.capsule, trusting(world))
    assert inner[1].present is False
    assert there.store.integrity() == []
