"""Source snapshots: the project's files as content-addressed blobs, and as a directory again."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath

import msgspec

from mainspring.records.canonical import canonical, digest_bytes, digest_of
from mainspring.records.errors import ProjectError, StoreError
from mainspring.records.ports import Blobs
from mainspring.records.source import Manifest, SourceFile
from mainspring.storage.cachefile import load_checked, replace_file, save_checked
from mainspring.storage.memo import FileMemo
from mainspring.storage.tree import Entry, entries

__all__ = ["FileMemo", "load_manifest", "materialise", "take_snapshot"]

LARGEST = 50 << 20  # bytes of one source file
SETTLED = 2_000_000_000  # ns after which a file's times tell whether it was written again
TRIES = 20
PARALLEL = 8  # files stored at once

Times = tuple[int, int, int, int, int, int]


class _Known(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file read before: its state then, and the digest of its content."""

    times: Times
    digest: str


class _Cache(msgspec.Struct, frozen=True, array_like=True):
    """What `take_snapshot` remembers, by path."""

    version: int
    root: str
    files: dict[str, _Known]


_CACHE_VERSION = 1
_decoder = msgspec.msgpack.Decoder(_Cache)


def take_snapshot(
    root: Path,
    home: Path,
    blobs: Blobs,
    *,
    roots: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    made: Mapping[str, bytes] = {},
) -> tuple[Manifest, str]:
    """Store the project's source as it is now; return its manifest and the manifest's digest.

    `made` are files, by path, that are part of the source and of no directory (a notebook's cells).

    Left out are Mainspring's home, version control, virtual environments, caches (the list is
    `tree.SKIPPED`) and what the globs of `exclude` match. `roots` are the directories that
    modules are imported from; by default the project itself and `src`, if there is one.

    Raises ProjectError, naming the file, for one that is too large, can't be read, has a name
    that is not text, or is a link to something outside of the project.
    """
    cache = _Snapshots(root, home, blobs)
    files = cache.files(list(entries(root, home, exclude)))
    if roots is None:
        roots = ["", "src"] if (root / "src").is_dir() else [""]
    files += _made(made, {file.path for file in files}, blobs)
    files.sort(key=lambda file: file.path)
    manifest = Manifest(files=tuple(files), roots=tuple(dict.fromkeys(roots)))
    digest, _ = blobs.put(canonical(manifest))
    cache.save()
    return manifest, digest


def _made(made: Mapping[str, bytes], there: Collection[str], blobs: Blobs) -> Iterator[SourceFile]:
    for path, data in made.items():
        if path in there:
            raise ProjectError(
                "has a name that is reserved for the cells of notebooks",
                where=path,
                hint="rename the file, or its directory",
            )
        digest, size = blobs.put(data)
        yield SourceFile(path=path, digest=digest, size=size)


class _Snapshots:
    """Turns files into blobs, and remembers which ones are known to be unchanged."""

    def __init__(self, root: Path, home: Path, blobs: Blobs) -> None:
        self._root = os.path.abspath(root)
        self._path = home / "cache" / "files"
        self._blobs = blobs
        self._before = self._load()
        self._now: dict[str, _Known] = {}

    def _load(self) -> dict[str, _Known]:
        data = load_checked(self._path)
        with suppress(msgspec.DecodeError):
            cache = _decoder.decode(data) if data else None
            if cache and cache.version == _CACHE_VERSION and cache.root == self._root:
                return cache.files
        return {}

    def save(self) -> None:
        """Remember for the next time, unless nothing changed."""
        if self._now != self._before:
            cache = _Cache(_CACHE_VERSION, self._root, self._now)
            save_checked(self._path, msgspec.msgpack.encode(cache))

    def files(self, found: list[Entry]) -> list[SourceFile]:
        """The files, their contents stored, less those that vanished meanwhile."""
        known = {entry.path: self._known(entry) for entry in found}
        fresh = [entry for entry in found if known[entry.path] is None]
        if len(fresh) < PARALLEL:
            read = [self._read(entry) for entry in fresh]
        else:
            # Storing is waiting for the disk: a first snapshot is several times faster this way.
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(PARALLEL) as pool:
                read = list(pool.map(self._read, fresh))
        known.update(zip((entry.path for entry in fresh), read, strict=True))
        listed = (self._file(entry, known[entry.path]) for entry in found)
        return [file for file in listed if file is not None]

    def _known(self, entry: Entry) -> _Known | None:
        """What was found of the file last time, if that is still so."""
        known = self._before.get(entry.path)
        if known is None or known.times != _times(entry.status):
            return None
        return known if self._blobs.has(known.digest) else None

    def _file(self, entry: Entry, known: _Known | None) -> SourceFile | None:
        if known is None:
            return None
        settled = time.time_ns() - max(known.times[1], known.times[2]) > SETTLED
        if settled or self._before.get(entry.path) == known:
            # A file written a moment ago may be written again within the clock's resolution.
            self._now[entry.path] = known
        return SourceFile(
            path=entry.path,
            digest=known.digest,
            size=known.times[0],
            executable=bool(known.times[5] & stat.S_IXUSR),
        )

    def _read(self, entry: Entry) -> _Known | None:
        """Read and store the content; what was written while it was read is read again."""
        try:
            for _ in range(TRIES):
                fd = os.open(entry.place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                try:
                    known = self._store(fd, entry)
                finally:
                    os.close(fd)
                if known is not None:
                    return known
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ProjectError(
                f"can't be read: {error.strerror}",
                where=entry.path,
                hint="make it readable, or leave it out: [source] exclude in mainspring.toml",
            ) from None
        raise ProjectError(
            "keeps changing while it is read",
            where=entry.path,
            hint="a file that a program writes is no source: list it in [source] exclude",
        )

    def _store(self, fd: int, entry: Entry) -> _Known | None:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise FileNotFoundError(errno.ENOENT, "no longer a file")
        if before.st_size > LARGEST:
            raise ProjectError(
                f"{before.st_size / 1e6:.0f} MB is too much for a source file",
                where=entry.path,
                hint="make it an input of the step that reads it (a dataset), "
                "or list it in [source] exclude in mainspring.toml",
            )
        with open(fd, "rb", buffering=0, closefd=False) as stream:
            data = stream.read(LARGEST + 1)
        after = os.fstat(fd)
        if _times(before) != _times(after) or len(data) != after.st_size:
            return None
        digest, _ = self._blobs.put(data)
        return _Known(_times(after), digest)


def _times(status: os.stat_result) -> Times:
    return (
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        status.st_dev,
        status.st_mode,
    )


def load_manifest(digest: str, blobs: Blobs) -> Manifest:
    """Return the manifest of a snapshot. Raises BlobError, or StoreError if it is none."""
    try:
        return msgspec.json.decode(blobs.read(digest), type=Manifest)
    except msgspec.DecodeError as error:
        raise StoreError(f"{digest} is not a source snapshot: {error}") from None


def materialise(digest: str, home: Path, blobs: Blobs) -> Path:
    """Return the directory with the files of a snapshot, made if need be: complete or absent.

    Files are read-only copies. Any number of processes may ask for the same snapshot at once.
    """
    folder = home / "snapshots"
    place = folder / digest.removeprefix("blake3:")
    if _is_whole(place):
        return place
    manifest = load_manifest(digest, blobs)
    if place.exists():
        if _matches(place, manifest):
            _mark_whole(place)
            return place
        _discard(place)
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=folder))
    try:
        tree = made / "tree"
        tree.mkdir()
        for file in manifest.files:
            _write(tree, file, blobs)
        _rename(tree, place)
    except OSError as error:
        raise StoreError(
            f"can't write the source snapshot to {folder}: {error.strerror}",
            hint="free some space, or set MAINSPRING_HOME to another disk",
        ) from None
    finally:
        shutil.rmtree(made, ignore_errors=True)
    _mark_whole(place)
    return place


def _write(tree: Path, file: SourceFile, blobs: Blobs) -> None:
    parts = PurePosixPath(file.path).parts
    if not parts or file.path.startswith("/") or ".." in parts or "\0" in file.path:
        raise StoreError(f"the source snapshot names an unsafe path: {file.path!r}")
    target = tree.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    data = blobs.read(file.digest)
    with open(target, "xb", buffering=0) as stream:
        view = memoryview(data)
        while view:
            view = view[stream.write(view) :]
        os.fchmod(stream.fileno(), 0o555 if file.executable else 0o444)


def _rename(tree: Path, place: Path) -> None:
    try:
        tree.rename(place)
    except OSError as error:
        # Another process was faster: the content is the same.
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise


def _matches(place: Path, manifest: Manifest) -> bool:
    """Whether the directory still holds what it should, and nothing else."""
    try:
        there = sum(not path.is_dir() for path in place.rglob("*"))
        return there == len(manifest.files) and all(
            digest_bytes((place / file.path).read_bytes()) == file.digest for file in manifest.files
        )
    except OSError:
        return False


def _mark(place: Path) -> Path:
    return place.with_name(f".{place.name}.whole")


def _is_whole(place: Path) -> bool:
    """Whether the directory was found complete since the machine started, and is as it was then.

    Nothing is synced to disk when a snapshot is written (500 files would cost half a second); a
    machine that crashed may have lost what they contain, so they are looked at once after that.
    And somebody may have edited a file in it (an editor that followed a traceback, say).
    """
    try:
        return _mark(place).read_text() == _state(place)
    except OSError:
        return False


def _mark_whole(place: Path) -> None:
    with suppress(OSError):
        replace_file(_mark(place), _state(place).encode())


def _state(place: Path) -> str:
    """What tells whether anything in a directory has been written, added or removed."""
    found: list[tuple[str, int, int, int]] = []
    folders = [str(place)]
    while folders:
        with os.scandir(folders.pop()) as listing:
            for entry in listing:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    now = entry.stat(follow_symlinks=False)
                    found.append((entry.path, now.st_size, now.st_mtime_ns, now.st_ctime_ns))
    return f"{_boot()} {digest_of(sorted(found))}"


@cache
def _boot() -> str:
    """A name of the time since the machine started."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    import psutil  # only where there is no /proc

    return str(int(psutil.boot_time()))


def _discard(place: Path) -> None:
    """Take a damaged directory away; whoever is there first does."""
    with suppress(OSError):
        away = Path(tempfile.mkdtemp(prefix=".damaged-", dir=place.parent))
        place.rename(away / "tree")
        shutil.rmtree(away, ignore_errors=True)
