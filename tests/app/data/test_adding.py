"""What lies in a place becomes a version, once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mainspring.app.data.adding import Wanted, add_path
from mainspring.app.data.verifying import verify
from mainspring.app.gc import Policy, collect
from mainspring.app.occupancy import alone
from mainspring.app.project import Project
from mainspring.records.errors import ConflictError, MainspringError, NotFoundError
from mainspring.storage.folders.content import Content
from mainspring.storage.serializers import registry


@pytest.fixture
def opened(project: Path) -> Project:
    return Project(project)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for name in ("a/1", "a/2", "b"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def wanted(keep: str = "copy", **more: object) -> Wanted:
    return Wanted(name="letters", keep=keep, **more)  # type: ignore[arg-type]


def names(project: Project) -> list[str]:
    return [version.name for version in project.store.read.dataset_versions("letters")]


@pytest.mark.parametrize("keep", ["copy", "link", "reference"])
def test_equal_content_is_one_version(opened: Project, data: Path, keep: str) -> None:
    first = add_path(opened, wanted(keep), data)
    assert (first.new, first.read, first.version.name) == (True, 3, "letters@v1")
    assert (first.version.files, first.version.size) == (3, 7)
    again = add_path(opened, wanted(keep), data)
    assert (again.new, again.version) == (False, first.version)
    (data / "b").unlink()  # a linked one must not be written to
    (data / "b").write_text("changed")
    second = add_path(opened, wanted(keep, message="b"), data)
    assert (second.new, second.version.name, second.version.message) == (True, "letters@v2", "b")
    (data / "b").unlink()
    (data / "b").write_text("b")
    third = add_path(opened, wanted(keep), data)
    assert (third.version.name, third.version.digest) == ("letters@v3", first.version.digest)
    assert verify(opened, third.version).faults == []


def test_from_elsewhere_or_kept_otherwise_it_is_the_same_version(
    opened: Project, data: Path, tmp_path: Path
) -> None:
    first = add_path(opened, wanted("reference"), data)
    assert first.version.ref.format == "reference"
    shutil.copytree(data, tmp_path / "copy")
    moved = add_path(opened, wanted(), tmp_path / "copy")
    assert (moved.new, moved.version.digest) == (False, first.version.digest)
    assert moved.version.ref.format == "directory"
    assert opened.store.read.dataset_version("letters") == moved.version
    shutil.rmtree(data)
    shutil.rmtree(tmp_path / "copy")
    assert verify(opened, moved.version).faults == []


def test_where_it_came_from(opened: Project, data: Path, project: Path) -> None:
    assert add_path(opened, wanted(), data).version.origin == str(data)
    shutil.copytree(data, project / "letters")
    (project / "letters" / "new").write_text("n")
    assert add_path(opened, wanted(), project / "letters").version.origin == "letters"


def test_what_is_left_out(opened: Project, data: Path) -> None:
    shutil.move(data, opened.root / "inside")
    everything = add_path(opened, wanted(exclude=("*.toml", "1")), opened.root)
    files = Content(everything.version.ref, opened.blobs).files()
    assert [entry.name for entry in files] == ["inside/a/2", "inside/b"]  # and not the home


def test_nothing_is_recorded_when_something_is_refused(opened: Project, data: Path) -> None:
    os.mkfifo(data / "z")
    with pytest.raises(MainspringError, match="neither a file"):
        add_path(opened, wanted(), data)
    with pytest.raises(NotFoundError, match="no file or directory"):
        add_path(opened, wanted(), data / "missing")
    with pytest.raises(MainspringError, match="can't be the name"):
        add_path(opened, Wanted(name="a/b"), data)
    assert opened.store.read.datasets() == []
    os.unlink(data / "z")
    assert add_path(opened, wanted(), data).new


def test_gc_keeps_what_versions_need_and_waits_for_nobody(opened: Project, data: Path) -> None:
    version = add_path(opened, wanted(), data).version
    stray, _ = opened.blobs.put(b"nobody's")
    assert [item.name for item in collect(opened, Policy(), dry_run=False, grace=0).items] == [
        stray
    ]
    assert verify(opened, version).faults == []
    with alone(opened.home):
        process = subprocess.Popen(
            [sys.executable, "-m", "mainspring", "data", "add", "letters", str(data)],
            cwd=opened.root,
            stdout=subprocess.PIPE,
        )
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
    assert process.communicate(timeout=30)[0].startswith(b"no change")


def test_what_a_forgotten_version_had_is_stored_again(opened: Project, data: Path) -> None:
    add_path(opened, wanted(), data)
    with opened.store.write() as tx:
        tx.delete_dataset_version("letters", 1)
    collect(opened, Policy(), dry_run=False, grace=0)
    version = add_path(opened, wanted(), data).version
    assert version.name == "letters@v2"
    assert verify(opened, version).faults == []


def test_damage_is_named_and_mended(opened: Project, data: Path) -> None:
    version = add_path(opened, wanted(), data).version
    one = next(Content(version.ref, opened.blobs).files())
    opened.blobs.path(one.digest).unlink()
    found = verify(opened, version)
    assert [(fault.path, fault.fault) for fault in found.faults] == [("a/1", "is missing")]
    mended = add_path(opened, wanted(), data)
    assert (mended.new, mended.read) == (False, 3)
    assert verify(opened, version).faults == []
    opened.blobs.path(version.ref.digest).unlink()
    assert [fault.path for fault in verify(opened, version).faults] == ["(manifest)"]
    add_path(opened, wanted(), data)
    assert verify(opened, version).faults == []


def test_two_who_add_at_once_agree(opened: Project, data: Path) -> None:
    command = [sys.executable, "-m", "mainspring", "data", "add", "letters", str(data)]
    both = [subprocess.Popen(command, cwd=opened.root, stdout=subprocess.PIPE) for _ in range(3)]
    said = sorted(process.communicate(timeout=60)[0] for process in both)
    assert names(opened) == ["letters@v1"]
    assert [text.startswith(b"no change") for text in said] == [False, True, True]


def test_killed_at_any_time_nothing_is_lost(opened: Project, tmp_path: Path) -> None:
    data = tmp_path / "many"
    for number in range(3000):
        path = data / f"{number // 100}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(number.to_bytes(2, "big") * 3000)
    command = [sys.executable, "-m", "mainspring", "data", "add", "letters", str(data)]
    for delay in (0.15, 0.3, 0.4, 0.5, 0.6):
        process = subprocess.Popen(command, cwd=opened.root, stdout=subprocess.DEVNULL)
        time.sleep(delay)  # anywhere in the middle: the moment is what is being tried
        process.send_signal(signal.SIGKILL)
        process.wait()
        for version in opened.store.read.dataset_versions("letters"):
            assert verify(opened, version).faults == []
    assert subprocess.run(command, cwd=opened.root, capture_output=True, check=True)
    [version] = opened.store.read.dataset_versions("letters")
    assert version.files == 3000
    assert verify(opened, version).faults == []
    opened.blobs.sweep()
    assert os.listdir(opened.home / "blobs" / "tmp") == []


@pytest.mark.parametrize("keep", ["copy", "reference"])
def test_a_step_gets_a_path(opened: Project, data: Path, keep: str) -> None:
    version = add_path(opened, wanted(keep), data).version
    place = registry.load(version.ref, opened.blobs, workdir=opened.root / "work")
    assert isinstance(place, Path)
    assert sorted(os.listdir(place)) == ["a", "b"]
    assert (place == data) is (keep == "reference")
    assert list(registry.references(version.ref, opened.blobs))
    if keep == "reference":
        (data / "a" / "1").write_text("changed")
        (data / "new").write_text("n")
        with pytest.raises(MainspringError, match=r"a/1 has changed, new was added") as caught:
            registry.load(version.ref, opened.blobs)
        assert "--reference" in (caught.value.hint or "")
        shutil.rmtree(data)
        with pytest.raises(MainspringError, match="not there any more"):
            registry.load(version.ref, opened.blobs)


def test_gc_is_refused_while_data_is_added(opened: Project, data: Path) -> None:
    seen: list[str] = []

    def progress(files: int, size: int) -> None:
        try:
            collect(opened, Policy(), dry_run=True)
        except ConflictError as error:
            seen.append(error.what)

    add_path(opened, wanted(), data, progress=progress)
    assert "at work" in seen[0]


def test_what_holds_the_home_can_not_stay_in_its_place(opened: Project) -> None:
    (opened.root / "x").write_text("x")
    with pytest.raises(ConflictError, match="holds the project's own home"):
        add_path(opened, Wanted(name="d", keep="reference"), opened.root)
