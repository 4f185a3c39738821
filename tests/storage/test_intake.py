"""Many files become blobs at once: whole, durable before they have names, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from blake3 import blake3

from mainspring.records.errors import BlobError, MainspringError
from mainspring.storage import bulk
from mainspring.storage import intake as intakes
from mainspring.storage.blobs import SEAL, SMALL, LocalBlobs
from mainspring.storage.intake import ChangedError, Intake, Stored, hashed, intake
from mainspring.testing.memory import MemoryBlobs

LARGE = os.urandom(1000) * (SMALL // 1000 + 2)


def files(root: Path, **contents: bytes) -> list[str]:
    root.mkdir(exist_ok=True)
    for name, content in contents.items():
        (root / name).write_bytes(content)
    return [str(root / name) for name in contents]


def digest(content: bytes) -> str:
    return "blake3:" + blake3(content).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def leftovers(blobs: LocalBlobs) -> list[str]:
    return os.listdir(blobs.root / "tmp") if (blobs.root / "tmp").exists() else []


def test_files_are_stored_in_order(tmp_path: Path, blobs: LocalBlobs) -> None:
    contents = {"a": b"one", "b": LARGE, "c": b"one", "d": b""}
    found = Intake(blobs).store(files(tmp_path / "d", **contents))
    assert [each.digest.hex() for each in found] == [digest(c)[7:] for c in contents.values()]
    for content in contents.values():
        assert blobs.read(digest(content)) == content
    assert {size for _, size in blobs.all()} == {0, 3, len(LARGE)}
    assert leftovers(blobs) == []
    assert (tmp_path / "d" / "a").stat().st_mode & 0o200


def test_names_come_after_the_sync(
    tmp_path: Path, blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    real = bulk.sync_filesystem

    def sync(place: str) -> None:
        seen.append((len(list(blobs.all())), len(leftovers(blobs))))
        real(place)

    monkeypatch.setattr(bulk, "sync_filesystem", sync)
    monkeypatch.setattr(intakes, "PART", 2)
    Intake(blobs).store(files(tmp_path / "d", a=b"1", b=b"2", c=b"3"))
    assert seen == [(0, 2), (2, 0), (2, 1), (3, 0)]


def test_a_linked_file_is_the_blob(tmp_path: Path, blobs: LocalBlobs) -> None:
    paths = files(tmp_path / "d", a=b"one", b=LARGE, c=b"one")
    before = os.stat(paths[0])
    os.chmod(paths[1], 0o755)
    first, large, same = Intake(blobs, link=True).store(paths)
    assert os.path.samefile(paths[0], blobs.path(digest(b"one")))
    assert os.path.samefile(paths[1], blobs.path(digest(LARGE)))
    assert not os.path.samefile(paths[2], paths[0])
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in paths] == [0o444, 0o555, 0o644]
    assert os.stat(paths[0]).st_mtime_ns == before.st_mtime_ns
    assert os.stat(paths[1]).st_mtime_ns == SEAL
    assert (first.after.st_nlink, large.after.st_nlink, same.after.st_nlink) == (2, 2, 1)
    assert large.after == os.stat(paths[1])


def test_a_blob_that_was_cut_short_is_replaced(tmp_path: Path, blobs: LocalBlobs) -> None:
    for link in (False, True):
        content = b"content" + bytes([link])
        place = blobs.root / "blake3" / digest(content)[7:9] / digest(content)[9:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"cont")
        Intake(blobs, link=link).store(files(tmp_path / "d", **{f"f{link}": content}))
        assert blobs.read(digest(content)) == content


@pytest.mark.parametrize("link", [False, True])
def test_a_file_that_changes_is_refused(
    tmp_path: Path, blobs: LocalBlobs, link: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = files(tmp_path / "d", a=b"one", b=b"two")
    real = os.read

    def read(fd: int, length: int) -> bytes:
        data = real(fd, length)
        if data == b"two":
            Path(paths[1]).write_bytes(b"owt")
            os.utime(paths[1], ns=(5, 5))
        return data

    monkeypatch.setattr(os, "read", read)
    with pytest.raises(ChangedError, match="changed while it was read") as caught:
        Intake(blobs, link=link).store(paths)
    assert caught.value.where == paths[1]
    assert list(blobs.all()) == []
    assert leftovers(blobs) == []
    assert os.stat(paths[0]).st_nlink == 1


def test_a_file_that_changes_before_it_is_linked(
    tmp_path: Path, blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    [path] = files(tmp_path / "d", a=b"one")
    real = os.link

    def link(source: str, place: str) -> None:
        Path(source).write_bytes(b"more than one")
        real(source, place)

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(ChangedError):
        Intake(blobs, link=True).store([path])
    assert list(blobs.all()) == []
    assert os.stat(path).st_mode & 0o200
    Path(path).write_bytes(b"still ours")


def test_what_cannot_be_linked_says_so(
    tmp_path: Path, blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MainspringError, match="in a bucket"):
        intake(MemoryBlobs(), link=True)
    for number, said in ((18, "another filesystem"), (1, "can't be linked")):

        def link(source: str, place: str, number: int = number) -> None:
            raise OSError(number, "no")

        monkeypatch.setattr(os, "link", link)
        with pytest.raises(MainspringError, match=said):
            Intake(blobs, link=True).store(files(tmp_path / "d", a=b"one"))


def test_other_blobs_take_files_too(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    names = {f"n{number}": b"%d" % number for number in range(20)}
    found = intake(blobs).store(files(tmp_path / "d", **names))
    assert [each.digest.hex() for each in found] == [digest(c)[7:] for c in names.values()]
    assert blobs.digests() == {digest(content) for content in names.values()}


def test_what_is_no_file_is_named(tmp_path: Path, blobs: LocalBlobs) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MainspringError, match="not a regular file"):
        Intake(blobs).store([str(tmp_path / "pipe")])
    with pytest.raises(BlobError, match="missing"):
        Intake(blobs).store([str(tmp_path / "missing")])


def test_a_digest_alone(tmp_path: Path) -> None:
    for path, content in zip(files(tmp_path / "d", a=b"x", b=LARGE), (b"x", LARGE), strict=True):
        found = hashed(path)
        assert isinstance(found, Stored)
        assert found.digest == blake3(content).digest()
