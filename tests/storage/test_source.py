"""Snapshots of a project's source: complete, consistent, rebuilt anywhere, quick when unchanged."""

from __future__ import annotations

import os
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mainspring.records.canonical import digest_bytes
from mainspring.records.errors import BlobError, ProjectError, StoreError
from mainspring.records.source import Manifest, SourceFile
from mainspring.storage import source
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.source import FileMemo, load_manifest, materialise, take_snapshot


class Place:
    """A project directory with its home and blobs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / ".mainspring"
        self.blobs = LocalBlobs(self.home / "blobs")

    def write(self, path: str, text: str = "x") -> Path:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place

    def take(self, **options) -> tuple[Manifest, str]:
        return take_snapshot(self.root, self.home, self.blobs, **options)

    def paths(self, **options) -> list[str]:
        return [file.path for file in self.take(**options)[0].files]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    root = tmp_path / "project"
    root.mkdir()
    return Place(root)


def test_manifest_lists_files_sorted_with_digests(place: Place):
    place.write("b.py", "two")
    place.write("a/c.py", "three")
    place.write("a.py", "one").chmod(0o755)
    manifest, digest = place.take()
    assert manifest.files == (
        SourceFile(path="a.py", digest=digest_bytes(b"one"), size=3, executable=True),
        SourceFile(path="a/c.py", digest=digest_bytes(b"three"), size=5),
        SourceFile(path="b.py", digest=digest_bytes(b"two"), size=3),
    )
    assert manifest.roots == ("",)
    assert all(place.blobs.read(file.digest) for file in manifest.files)
    assert load_manifest(digest, place.blobs) == manifest


def test_same_content_is_the_same_snapshot_elsewhere(place: Place, tmp_path: Path):
    place.write("a.py", "one")
    other = Place(tmp_path / "other")
    other.write("a.py", "one")
    assert place.take()[1] == other.take()[1]
    other.write("a.py", "two")
    assert place.take()[1] != other.take()[1]


def test_what_is_not_source_is_left_out(place: Place):
    for path in (
        ".git/config",
        ".hg/x",
        "env/pyvenv.cfg",
        "env/lib/x.py",
        "a/__pycache__/m.py",
        "a/m.pyc",
        "node_modules/x/i.js",
        ".tox/x",
        ".mypy_cache/x",
        ".ruff_cache/x",
        ".pytest_cache/x",
        ".ipynb_checkpoints/x",
        ".mainspring/store.db",
    ):
        place.write(path)
    place.write("a/m.py")
    place.write("dist/x")
    place.write(".hidden")
    assert place.paths() == [".hidden", "a/m.py", "dist/x"]


def test_home_elsewhere_in_the_project_is_left_out(place: Place):
    place.home = place.root / "state" / "home"
    place.blobs = LocalBlobs(place.home / "blobs")
    place.write("a.py")
    place.write("state/b.py")
    assert place.paths() == ["a.py", "state/b.py"]


@pytest.mark.parametrize(
    ("glob", "kept"),
    [
        ("*.ckpt", ["a.py", "data/x.csv", "data/y/z.csv", "runs/data"]),
        ("data/", ["a.ckpt", "a.py"]),
        ("data/*.csv", ["a.ckpt", "a.py", "runs/b.ckpt", "runs/data"]),
        ("data/y/**", ["a.ckpt", "a.py", "data/x.csv", "runs/b.ckpt", "runs/data"]),
        ("runs/data", ["a.ckpt", "a.py", "data/x.csv", "data/y/z.csv", "runs/b.ckpt"]),
        ("/runs/*", ["a.ckpt", "a.py", "data/x.csv", "data/y/z.csv"]),
    ],
)
def test_exclude(place: Place, glob: str, kept: list[str]):
    for path in ("a.py", "a.ckpt", "data/x.csv", "data/y/z.csv", "runs/b.ckpt", "runs/data"):
        place.write(path)
    if glob == "data/":
        kept = [*kept, "runs/b.ckpt"]
    assert place.paths(exclude=[glob]) == kept


def test_roots(place: Place):
    place.write("src/pkg/m.py")
    assert place.take()[0].roots == ("", "src")
    assert place.take(roots=["lib", "", "lib"])[0].roots == ("lib", "")


def test_links_inside_are_followed(place: Place):
    place.write("a.py", "one")
    place.write("pkg/m.py", "two")
    (place.root / "b.py").symlink_to("a.py")
    (place.root / "alias").symlink_to(place.root / "pkg")
    (place.root / "nothing").symlink_to("gone")
    files = {file.path: file.digest for file in place.take()[0].files}
    assert files == {
        "a.py": digest_bytes(b"one"),
        "b.py": digest_bytes(b"one"),
        "alias/m.py": digest_bytes(b"two"),
        "pkg/m.py": digest_bytes(b"two"),
    }


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_link_out_of_the_project_is_refused(place: Place, tmp_path: Path, kind: str):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    (place.root / "sub").mkdir()
    (place.root / "sub" / "in").symlink_to(outside / "secret" if kind == "file" else outside)
    with pytest.raises(ProjectError, match="outside of the project") as caught:
        place.take()
    assert caught.value.where == "sub/in"
    assert place.paths(exclude=["sub/in"]) == []


def test_link_to_a_directory_above_is_refused(place: Place):
    (place.root / "a").mkdir()
    (place.root / "a" / "loop").symlink_to("..")
    with pytest.raises(ProjectError, match="directory it lies in") as caught:
        place.take()
    assert caught.value.where == "a/loop"


def test_special_files_are_left_out(place: Place):
    place.write("a.py")
    os.mkfifo(place.root / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.open(place.root, os.O_RDONLY)
        try:
            sock.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
        assert place.paths() == ["a.py"]


def test_large_file_is_refused_by_name(place: Place):
    with (place.root / "weights.bin").open("wb") as stream:
        stream.truncate(source.LARGEST + 1)
    with pytest.raises(ProjectError, match="52 MB is too much") as caught:
        place.take()
    assert caught.value.where == "weights.bin"
    assert "exclude" in (caught.value.hint or "")


def test_name_that_is_not_text_is_refused(place: Place):
    with open(os.fsencode(place.root) + b"/bad\xff.py", "w") as stream:
        stream.write("x")
    with pytest.raises(ProjectError, match="not UTF-8") as caught:
        place.take()
    assert caught.value.where == "'bad\\udcff.py'"


def test_odd_names_come_back(place: Place):
    names = ["a\nb.py", "ü.txt", "with space", "-dash", "$x"]
    for name in names:
        place.write(name, name)
    _, digest = place.take()
    made = materialise(digest, place.home, place.blobs)
    assert sorted(path.name for path in made.iterdir()) == sorted(names)
    assert (made / "a\nb.py").read_text() == "a\nb.py"


# --- the cache ---------------------------------------------------------------------------


def settle(place: Place) -> None:
    """Make every file look as if nothing had written to it for a while."""
    source.SETTLED, before = -(1 << 62), source.SETTLED
    try:
        place.take()
    finally:
        source.SETTLED = before


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    reads: list[str] = []
    real = source._Snapshots._read

    def read(self, entry):
        reads.append(entry.path)
        return real(self, entry)

    monkeypatch.setattr(source._Snapshots, "_read", read)
    return reads


def test_unchanged_files_are_not_read_again(place: Place, monkeypatch):
    place.write("a.py", "one")
    place.write("b.py", "two")
    settle(place)
    reads = count_reads(monkeypatch)
    first = place.take()
    assert reads == []
    place.write("b.py", "TWO")
    second = place.take()
    assert reads == ["b.py"]
    assert first[1] != second[1]


def test_files_written_a_moment_ago_are_read_again(place: Place, monkeypatch):
    place.write("a.py", "one")
    place.take()
    reads = count_reads(monkeypatch)
    place.take()
    assert reads == ["a.py"]


def test_edit_that_keeps_size_and_time_is_seen(place: Place):
    file = place.write("a.py", "one")
    settle(place)
    before = place.take()
    times = os.stat(file)
    file.write_text("two")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert place.take()[1] != before[1]


def test_mode_is_seen(place: Place):
    file = place.write("a.py", "one")
    settle(place)
    assert not place.take()[0].files[0].executable
    file.chmod(0o755)
    assert place.take()[0].files[0].executable


def test_blob_that_is_gone_is_stored_again(place: Place):
    place.write("a.py", "one")
    settle(place)
    manifest, digest = place.take()
    place.blobs.delete(manifest.files[0].digest)
    place.blobs.delete(digest)
    assert place.take()[1] == digest
    assert place.blobs.read(manifest.files[0].digest) == b"one"
    assert load_manifest(digest, place.blobs) == manifest


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_damaged_cache_is_ignored(place: Place, damage: bytes | None):
    place.write("a.py", "one")
    settle(place)
    before = place.take()
    cache = place.home / "cache" / "files"
    data = bytearray(cache.read_bytes())
    data[len(data) // 2] ^= 1
    cache.write_bytes(bytes(data) if damage is None else damage)
    assert place.take() == before


def test_what_is_stored_is_what_is_named(place: Place):
    """A file rewritten all the while is stored as one of its versions, never as a mixture."""
    versions = [(f"{n}" * 200_000).encode() for n in range(3)]
    file = place.write("a.py", "")
    file.write_bytes(versions[0])
    stop = threading.Event()

    def writer() -> None:
        for turn in range(100_000):
            if stop.is_set():
                return
            fresh = file.with_suffix(".new")
            fresh.write_bytes(versions[turn % 3])
            fresh.replace(file)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(writer)
        try:
            for _ in range(30):
                for listed in place.take(exclude=["*.new"])[0].files:
                    assert place.blobs.read(listed.digest) in versions
        finally:
            stop.set()
        done.result()


def test_file_that_never_rests_is_refused(place: Place, monkeypatch):
    file = place.write("a.py", "one")
    real = os.fstat
    monkeypatch.setattr(
        source.os, "fstat", lambda fd: (os.utime(file, ns=(0, next(ticks))), real(fd))[1]
    )
    ticks = iter(range(1_000))
    with pytest.raises(ProjectError, match="keeps changing"):
        place.take()


# --- the directory -----------------------------------------------------------------------


def test_directory_is_made_from_blobs_alone(place: Place, tmp_path: Path):
    place.write("a/b.py", "one").chmod(0o755)
    place.write("c.txt", "")
    _, digest = place.take()
    made = materialise(digest, tmp_path / "elsewhere", place.blobs)
    assert made == tmp_path / "elsewhere" / "snapshots" / digest.removeprefix("blake3:")
    assert (made / "a/b.py").read_text() == "one"
    assert (made / "c.txt").read_text() == ""
    assert stat.S_IMODE((made / "a/b.py").stat().st_mode) == 0o555
    assert stat.S_IMODE((made / "c.txt").stat().st_mode) == 0o444
    assert (made / "a/b.py").stat().st_nlink == 1
    listed = [path.name for path in made.parent.iterdir() if not path.name.endswith(".whole")]
    assert listed == [made.name]


def test_directory_is_made_once(place: Place):
    place.write("a.py", "one")
    _, digest = place.take()
    made = materialise(digest, place.home, place.blobs)
    inode = made.stat().st_ino
    for path, _ in list(place.blobs.all()):
        place.blobs.delete(path)
    assert materialise(digest, place.home, place.blobs).stat().st_ino == inode


def test_many_at_once_make_one_directory(place: Place):
    for number in range(40):
        place.write(f"m{number}.py", str(number))
    _, digest = place.take()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: materialise(digest, place.home, place.blobs), range(16)))
    assert len(set(made)) == 1
    assert len(list(made[0].iterdir())) == 40
    assert not list(made[0].parent.glob(".making-*"))


def test_missing_blob_leaves_nothing_behind(place: Place):
    place.write("a.py", "one")
    place.write("b.py", "two")
    manifest, digest = place.take()
    place.blobs.delete(manifest.files[1].digest)
    with pytest.raises(BlobError):
        materialise(digest, place.home, place.blobs)
    assert list((place.home / "snapshots").iterdir()) == []


def test_after_a_crash_of_the_machine_the_directory_is_checked(place: Place, monkeypatch):
    place.write("a.py", "one")
    _, digest = place.take()
    made = materialise(digest, place.home, place.blobs)
    (made / "a.py").chmod(0o644)
    (made / "a.py").write_text("")  # what a file system may leave of an unsynced file
    monkeypatch.setattr(source, "_boot", lambda: "another")
    assert (materialise(digest, place.home, place.blobs) / "a.py").read_text() == "one"
    assert materialise(digest, place.home, place.blobs) == made


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", ""])
def test_unsafe_paths_are_refused(place: Place, path: str):
    digest, size = place.blobs.put(b"x")
    from mainspring.records.canonical import canonical

    manifest = Manifest(files=(SourceFile(path=path, digest=digest, size=size),))
    named, _ = place.blobs.put(canonical(manifest))
    with pytest.raises(StoreError, match="unsafe path"):
        materialise(named, place.home, place.blobs)


def test_what_is_no_manifest_is_refused(place: Place):
    digest, _ = place.blobs.put(b"[1, 2]")
    with pytest.raises(StoreError, match="not a source snapshot"):
        load_manifest(digest, place.blobs)


# --- the memo ----------------------------------------------------------------------------


def test_memo_is_kept_from_one_process_to_the_next(tmp_path: Path):
    memo = FileMemo(tmp_path)
    assert memo.get("a") is None
    memo.put("a", b"one")
    memo.put("b", b"\0" * 1000)
    memo.put("a", b"two")
    assert memo.get("a") == b"two"
    again = FileMemo(tmp_path)
    assert (again.get("a"), again.get("b"), again.get("c")) == (b"two", b"\0" * 1000, None)


def test_memo_cut_short_keeps_what_is_whole(tmp_path: Path):
    memo = FileMemo(tmp_path)
    memo.put("a", b"one")
    memo.put("b", b"two")
    log = tmp_path / "cache" / "code.log"
    log.write_bytes(log.read_bytes()[:-1])
    again = FileMemo(tmp_path)
    assert (again.get("a"), again.get("b")) == (b"one", None)
    again.put("c", b"three")
    assert FileMemo(tmp_path).get("c") == b"three"


@pytest.mark.parametrize("at", range(0, 60, 3))
def test_memo_never_returns_damaged_data(tmp_path: Path, at: int):
    memo = FileMemo(tmp_path)
    memo.put("a", b"one" * 5)
    memo.put("b", b"two" * 5)
    log = tmp_path / "cache" / "code.log"
    data = bytearray(log.read_bytes())
    data[at] ^= 0x40
    log.write_bytes(bytes(data))
    again = FileMemo(tmp_path)
    assert again.get("a") in (None, b"one" * 5)
    assert again.get("b") in (None, b"two" * 5)


def test_memo_written_by_two_at_once(tmp_path: Path):
    one, two = FileMemo(tmp_path), FileMemo(tmp_path)
    for number in range(50):
        one.put(f"one{number}", b"1" * number)
        two.put(f"two{number}", b"2" * number)
    again = FileMemo(tmp_path)
    assert all(again.get(f"one{number}") == b"1" * number for number in range(50))
    assert all(again.get(f"two{number}") == b"2" * number for number in range(50))


def test_memo_does_not_grow_for_ever(tmp_path: Path):
    memo = FileMemo(tmp_path)
    for number in range(300):
        memo.put("a", bytes([number % 256]) * 10_000)
    assert (tmp_path / "cache" / "code.log").stat().st_size > 2_900_000
    assert FileMemo(tmp_path).get("a") == bytes([299 % 256]) * 10_000
    assert (tmp_path / "cache" / "code.log").stat().st_size < 20_000


@pytest.mark.parametrize("how", ["edited", "added", "removed"])
def test_a_snapshot_that_somebody_has_touched_is_made_again(tmp_path: Path, how: str) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    (project / "flow.py").write_text("VALUE = 1\n")
    (project / "more.py").write_text("MORE = 1\n")
    blobs = LocalBlobs(home / "blobs")
    _, digest = take_snapshot(project, home, blobs)
    place = materialise(digest, home, blobs)
    file = place / "flow.py"
    if how == "edited":
        file.chmod(0o644)
        file.write_text("VALUE = 2\n")
    elif how == "added":
        place.chmod(0o755)
        (place / "extra.py").write_text("VALUE = 3\n")
    else:
        place.chmod(0o755)
        file.unlink()
    again = materialise(digest, home, blobs)
    assert sorted(path.name for path in again.iterdir()) == ["flow.py", "more.py"]
    assert (again / "flow.py").read_text() == "VALUE = 1\n"


def test_files_that_hold_secrets_by_custom_are_left_out(tmp_path: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    for name in (".env", ".env.local", ".env.example", "environment.py"):
        (project / name).write_text("TOKEN = 'secret'\n")
    manifest, _ = take_snapshot(project, home, LocalBlobs(home / "blobs"))
    assert [file.path for file in manifest.files] == [".env.example", "environment.py"]
