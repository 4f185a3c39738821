"""A directory is read once; after that only what has changed in it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.folders import reading as readings
from mainspring.storage.folders.manifest import entries_of
from mainspring.storage.folders.reading import Reading
from mainspring.storage.folders.walk import One, Walk
from mainspring.storage.intake import Intake


class Lab:
    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "data"
        self.root.mkdir()
        self.home = tmp_path / "home"
        self.home.mkdir()
        self.blobs = LocalBlobs(self.home / "blobs")

    def write(self, name: str, text: str, age: int = 60) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        now = path.stat().st_mtime_ns - age * 10**9
        os.utime(path, ns=(now, now))

    def read(self, *, link: bool = False, **more: object) -> tuple[str | None, int]:
        """The digest (None if nothing changed) and how many files were read."""
        with Reading(Walk(str(self.root)), self.home / "stat") as reading:
            if reading.unchanged():
                return None, 0
            taking = Intake(self.blobs, link=link)
            digest, _ = reading.take("data", taking, self.blobs, self.home, **more)  # type: ignore
            reading.remember(digest, digest)
            return digest, reading.read

    def content(self, digest: str) -> dict[str, bytes]:
        found = entries_of(self.blobs.path(digest), "directory")
        return {entry.name: self.blobs.read(entry.digest) for entry in found}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    # ctime can't be set: what was written just now would not be trusted for two seconds.
    monkeypatch.setattr("mainspring.storage.folders.statcache.SETTLED", -(10**9))
    return Lab(tmp_path)


def test_only_what_changed_is_read(lab: Lab) -> None:
    for name in ("a/1", "a/2", "b/1", "top"):
        lab.write(name, name)
    first, read = lab.read()
    assert (first is not None, read) == (True, 4)
    assert lab.read() == (None, 0)
    lab.write("a/2", "changed")
    second, read = lab.read()
    assert read == 1
    assert second is not None
    assert lab.content(second) == {"a/1": b"a/1", "a/2": b"changed", "b/1": b"b/1", "top": b"top"}
    os.unlink(lab.root / "b/1")
    lab.write("c/new", "new")
    third, read = lab.read()
    assert read == 1
    assert third is not None
    assert sorted(lab.content(third)) == ["a/1", "a/2", "c/new", "top"]
    os.rmdir(lab.root / "b")
    assert lab.read()[0] not in (None, third)  # an empty directory is a part of it
    assert lab.read() == (None, 0)


def test_a_mode_is_a_change_and_a_touch_is_none(lab: Lab) -> None:
    lab.write("run.sh", "true")
    first, _ = lab.read()
    os.utime(lab.root / "run.sh", ns=(1, 1))
    assert lab.read() == (first, 1)
    os.chmod(lab.root / "run.sh", 0o755)
    second, read = lab.read()
    assert second != first
    assert read == 1


def test_what_was_written_a_moment_ago_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path)
    lab.write("old", "old", age=60)
    first, _ = lab.read()
    assert lab.read() == (first, 1)  # its ctime is young
    monkeypatch.setattr("mainspring.storage.folders.statcache.SETTLED", -(10**9))
    assert lab.read() == (first, 1)
    assert lab.read() == (None, 0)


def test_linked_files_are_known_at_once(lab: Lab) -> None:
    for name in ("a/1", "a/2", "b"):
        lab.write(name, name)
    first, read = lab.read(link=True)
    assert read == 3
    assert first is not None
    assert lab.read(link=True) == (None, 0)
    os.chmod(lab.root / "b", 0o644)
    assert lab.read(link=True) == (first, 1)


def test_what_is_not_believed_is_read_again(lab: Lab) -> None:
    lab.write("a", "a")
    lab.write("b", "b")
    first, _ = lab.read()
    lab.write("b", "c")
    gone = next(iter(entries_of(lab.blobs.path(first or ""), "directory"))).digest
    lab.blobs.delete(gone)

    def there(digest: bytes, size: int) -> bool:
        return lab.blobs.has("blake3:" + digest.hex())

    second, read = lab.read(believed=there)
    assert read == 2
    assert lab.content(second or "") == {"a": b"a", "b": b"c"}


def test_parts_make_no_difference(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        lab.write(f"{number % 7}/{number % 3}/{number}", str(number))
    told: list[tuple[int, int]] = []
    whole, _ = lab.read()
    os.unlink(lab.home / "stat")
    monkeypatch.setattr(readings, "PART", 4)
    monkeypatch.setattr(readings, "HELD", 9)
    with Reading(
        Walk(str(lab.root)), lab.home / "stat", progress=lambda *found: told.append(found)
    ) as reading:
        digest, _ = reading.take("data", Intake(lab.blobs), lab.blobs, lab.home)
        assert (reading.files, reading.kind) == (50, "directory")
    assert digest == whole
    assert len(told) > 5
    assert told[-1][0] == 50
    assert sorted(os.listdir(lab.home)) == ["blobs"]  # not remembered, and nothing left


def test_a_single_file(lab: Lab) -> None:
    lab.write("one.csv", "a,b\n")
    with Reading(One(str(lab.root / "one.csv")), lab.home / "stat") as reading:
        digest, size = reading.take("data", Intake(lab.blobs), lab.blobs, lab.home)
        reading.remember(digest, "ref")
    [entry] = entries_of(lab.blobs.path(digest), "file")
    assert (entry.name, entry.size, size) == ("one.csv", 4, len(lab.blobs.read(digest)))
    with Reading(One(str(lab.root / "one.csv")), lab.home / "stat") as reading:
        assert reading.unchanged()
        before = reading.before()
        assert before is not None
        assert (before.digest, before.ref, before.files) == (digest, "ref", 1)


def test_without_blobs_only_the_digest_is_found(lab: Lab) -> None:
    lab.write("a", "a")
    with Reading(Walk(str(lab.root)), lab.home / "other") as reading:
        digest, _ = reading.take("data", Intake(lab.blobs), None, lab.home)
    assert not lab.blobs.has(digest)
    assert lab.read()[0] == digest
