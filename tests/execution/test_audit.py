"""What the audit hook makes of the ways in which a step looks around."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import pathlib
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mainspring.execution import audit, reads
from mainspring.records.canonical import digest_of


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "snapshot"
    (root / "data").mkdir(parents=True)
    (root / "data" / "a.txt").write_text("a")
    (root / "module_for_audit.py").write_text("VALUE = 1\n")
    (tmp_path / "outside.txt").write_text("o")
    monkeypatch.chdir(root)
    # The temporary directory is a known place nowhere, but this test's own lies in it.
    audit.install()
    return root


@pytest.fixture
def recorder(project: Path, tmp_path: Path) -> reads.Recorder:
    return reads.Recorder(str(project), str(tmp_path / "attempt" / "work"))


def version_from(root: Path) -> None:
    """As numpy looks up its own version while it is imported: in every place of sys.path."""
    found = importlib.metadata.distributions(name="msgspec", path=[str(root), *sys.path])
    assert next(iter(found)).version


READS: list[tuple[str, Callable[[Path], object], list[str]]] = [
    ("open", lambda _: open("data/a.txt").close(), ["data/a.txt"]),
    ("bytes", lambda _: os.close(os.open(b"data/a.txt", os.O_RDONLY)), ["data/a.txt"]),
    ("dots", lambda _: pathlib.Path("data/../data/a.txt").read_text(), ["data/a.txt"]),
    ("absolute", lambda root: (root / "data" / "a.txt").read_text(), ["data/a.txt"]),
    ("listdir", lambda _: os.listdir("data"), ["data/"]),
    ("root", lambda _: os.listdir(), ["/"]),
    ("version", version_from, []),
    ("glob", lambda root: list((root / "data").glob("*.txt")), ["data?", "data/"]),
    ("exists", lambda _: os.path.exists("data/none.csv"), ["data/none.csv?"]),
    ("is_file", lambda root: (root / "data" / "a.txt").is_file(), ["data/a.txt?"]),
    ("access", lambda _: os.access("data/a.txt", os.R_OK), ["data/a.txt?"]),
    ("resolve", lambda root: root.resolve(), []),
]


@pytest.mark.parametrize(("name", "look", "reads"), READS, ids=[name for name, _, _ in READS])
def test_reads_inside(
    recorder: reads.Recorder,
    project: Path,
    name: str,
    look: Callable[[Path], object],
    reads: list[str],
) -> None:
    del name
    with recorder:
        look(project)
    assert list(recorder.reads) == reads
    assert recorder.impure == {}


def test_what_is_missing_is_noted_too(recorder: reads.Recorder) -> None:
    with recorder, pytest.raises(FileNotFoundError):
        open("data/none.txt").close()
    assert [(read.path, read.digest) for read in recorder.digests({})] == [
        ("data/none.txt", "absent")
    ]


def test_digests_of_listings() -> None:
    manifest = {"a.txt": "1", "data/b.txt": "2", "data/deep/c.txt": "3"}
    assert reads.listing_digest(manifest, "data/") == digest_of(["b.txt", "deep/"])
    assert reads.listing_digest(manifest, "/") == digest_of(["a.txt", "data/"])
    assert reads.listing_digest(manifest, "other/") == reads.ABSENT


WRITES: list[Callable[[], object]] = [
    lambda: Path("data/a.txt").write_text("b"),
    lambda: Path("data/new.txt").touch(),
    lambda: os.open("data/a.txt", os.O_RDWR),
    lambda: os.remove("data/a.txt"),
    lambda: os.rename("data/a.txt", "data/b.txt"),
    lambda: os.mkdir("data/more"),
    lambda: os.symlink("/dev/null", "data/link"),
]


@pytest.mark.parametrize("write", WRITES)
def test_writes_inside_are_refused(
    recorder: reads.Recorder, project: Path, write: Callable[[], object]
) -> None:
    with recorder, pytest.raises(PermissionError, match="must not write"):
        write()
    assert (project / "data" / "a.txt").read_text() == "a"
    assert os.listdir(project / "data") == ["a.txt"]


def test_reads_outside_are_impure(recorder: reads.Recorder, tmp_path: Path) -> None:
    with recorder:
        (tmp_path / "outside.txt").read_text()
        (tmp_path / "outside.txt").read_text()
        os.listdir(tmp_path)
        with pytest.raises(FileNotFoundError):
            (tmp_path / "nothing.txt").read_text()
    assert list(recorder.impure) == [f"read {tmp_path}/outside.txt", f"list {tmp_path}"]


def test_what_the_step_made_is_its_own(recorder: reads.Recorder, tmp_path: Path) -> None:
    with recorder:
        (tmp_path / "made.txt").write_text("x")
        os.rename(tmp_path / "made.txt", tmp_path / "moved.txt")
        (tmp_path / "moved.txt").read_text()
    assert recorder.impure == {}


def test_the_interpreters_own_files_are_not_noted(recorder: reads.Recorder) -> None:
    with recorder:
        open(os.__file__).close()
        open("/dev/null").close()
        open("/proc/self/stat").close()
        for name in ("colorsys", "this_module_is_nowhere"):
            sys.modules.pop(name, None)
            with contextlib.suppress(ImportError):
                __import__(name)
    assert (recorder.reads, recorder.impure) == ({}, {})


def test_a_late_import_is_a_read(
    recorder: reads.Recorder, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with recorder:
        importlib.import_module("module_for_audit")
    assert list(recorder.reads) == ["module_for_audit.py!"]
    again = reads.Recorder(recorder.snapshot, recorder.work)
    with again:
        importlib.import_module("module_for_audit")
    assert list(again.reads) == ["module_for_audit.py!"]
    del sys.modules["module_for_audit"]


def test_a_link_into_the_snapshot_is_inside(
    recorder: reads.Recorder, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(project / "data" / "a.txt")
    with recorder:
        (tmp_path / "link").read_text()
    assert (list(recorder.reads), recorder.impure) == (["data/a.txt"], {})


def test_what_is_asked_of_a_file_is_whether_it_is_there() -> None:
    manifest = {"data/a.txt": "blake3:1"}
    found = [reads.digest_in(manifest, path) for path in ("data/a.txt?", "data?", "other?")]
    assert found == ["file", "directory", "absent"]


def test_a_database(recorder: reads.Recorder, tmp_path: Path) -> None:
    outside = tmp_path / "outside.db"
    outside.touch()
    with recorder:
        sqlite3.connect(":memory:").close()
        sqlite3.connect(outside).close()
    assert list(recorder.impure) == [f"read {outside}"]


def test_scratch_space_is_made_when_it_is_wanted(recorder: reads.Recorder) -> None:
    assert not os.path.exists(recorder.work)
    with recorder, tempfile.TemporaryDirectory(dir=recorder.work) as folder:
        assert os.path.isdir(folder)
    assert recorder.impure == {}


def test_forked_processes_are_seen(recorder: reads.Recorder, tmp_path: Path) -> None:
    os.mkdir(tmp_path / "attempt")
    with recorder:
        pid = os.fork()
        if pid == 0:
            open("data/a.txt").close()
            open(tmp_path / "outside.txt").close()
            os._exit(0)
        os.waitpid(pid, 0)
    recorder.collect_forked()
    assert list(recorder.reads) == ["data/a.txt"]
    assert list(recorder.impure) == [f"read {tmp_path}/outside.txt"]


def test_notes_are_bounded(recorder: reads.Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring.execution.reads.LIMIT", 3)
    for number in range(10):
        recorder.read(str(number))
    assert len(recorder.reads) == 3
    (note,) = recorder.impure
    assert "too many" in note


def test_nothing_is_noted_outside_of_user_code(recorder: reads.Recorder) -> None:
    with recorder:
        pass
    open("data/a.txt").close()
    assert recorder.reads == {}
