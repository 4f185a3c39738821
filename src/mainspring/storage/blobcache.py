"""Copies of remote blobs on this machine: fetched once, checked, bounded in bytes."""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from mainspring.records.errors import BlobError, CorruptBlobError
from mainspring.records.ports import Buffer
from mainspring.storage import bulk
from mainspring.storage.blobs import SEAL, LocalBlobs, key_of
from mainspring.storage.disk_errors import explained

PINS = 256  # files that one process keeps from being evicted; beyond, the oldest are let go
_TOUCH = 60.0  # seconds: how exactly it is known when a file was last used
_ROOM = 0.9  # of the limit: what an eviction leaves
_PARTIAL_AGE = 7 * 24 * 3600.0  # seconds after which a download that nobody finished is dropped

Fetch = Callable[[int], Iterator[memoryview]]
"""Gives an object's bytes from an offset on."""


class BlobCache:
    """A `LocalBlobs` that forgets what was not used for longest. Safe for concurrent processes.

    Whoever is given a path holds a shared lock on its file; an eviction takes the files that
    nobody locks. So the limit is exceeded while one task uses more than that. Nothing is synced
    to disk: large files count as checked only until the machine is started again.
    """

    def __init__(self, root: Path, limit: int) -> None:
        self.root = root
        self.limit = limit
        self.files = LocalBlobs(root, seal=_seal(), durable=False)
        self._partial = root / "partial"
        self._pins: OrderedDict[str, int] = OrderedDict()

    def pinned(self, digest: str) -> Path | None:
        """The checked file of a blob, kept while this process lives; None if it is not here.

        A copy that is damaged counts as not here, and is moved aside.
        """
        while (fd := self._lock(digest)) >= 0:
            if os.fstat(fd).st_nlink == 0:  # evicted between opening and locking
                self.unpin(digest)
                continue
            try:
                path = self.files.path(digest)
            except CorruptBlobError:
                self.unpin(digest)
                return None
            _touch(os.fstat(fd), path)
            return path
        return None

    def read(self, digest: str) -> bytes | None:
        """The checked bytes of a blob, or None if it is not here."""
        place = self.root / "blake3" / key_of(digest)
        try:
            _touch(os.stat(place), place)
            return self.files.read(digest)
        except FileNotFoundError:
            return None
        except BlobError:
            if self.files.has(digest):
                raise
            return None  # evicted meanwhile, or damaged and moved aside

    def fetch(self, digest: str, size: int, fetch: Fetch) -> bool:
        """Fill in a large blob; go on where an earlier download stopped.

        False if the bytes that came have another digest. Processes that want the same blob wait
        for the first one. The file is pinned before room is made for it.
        """
        with explained(self.root), self._download(digest) as fd:
            if self.files.has(digest):
                os.unlink(self._partial / digest[7:])
                return True
            resumed = os.fstat(fd).st_size
            done = self._fill(fd, digest, size, fetch)
            if not done and resumed:  # what was there before may have been the fault
                os.ftruncate(fd, 0)
                done = self._fill(fd, digest, size, fetch)
            if done:
                fcntl.flock(fd, fcntl.LOCK_SH)
                self._pin(digest, os.dup(fd))
                self._added(size)
                return True
            os.unlink(self._partial / digest[7:])
            return False

    def add(self, data: Buffer, *, pin: bool = False) -> str:
        """Keep a small blob's bytes; return their digest. One that is to be used next has to be
        pinned, or making room for it could take it away."""
        digest, size = self.files.put(data)
        if pin:
            self._lock(digest)
        self._added(size)
        return digest

    def note(self, size: int) -> None:
        """Say that `files` was given so many bytes; room is made for them."""
        self._added(size)

    def drop(self, digest: str) -> None:
        """Forget a blob."""
        self.unpin(digest)
        self.files.delete(digest)

    def sweep(self) -> int:
        """Remove what dead processes left."""
        removed = self.files.sweep()
        for folder in (self._partial, self.root / "corrupt"):
            for entry in _entries(folder):
                old = time.time() - entry.stat().st_mtime > _PARTIAL_AGE
                if (folder != self._partial or old) and self._evict(entry.path):
                    removed += 1
        return removed

    # Downloads

    @contextmanager
    def _download(self, digest: str) -> Generator[int]:
        key_of(digest)
        path = self._partial / digest[7:]
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                # Whoever is first gives the file its name and keeps a shared lock on it, or throws
                # it away, or dies: then the next one goes on.
                if not _is_first(fd):
                    fcntl.flock(fd, fcntl.LOCK_SH)
                elif _same(fd, path):
                    yield fd
                    return
            finally:
                os.close(fd)

    def _fill(self, fd: int, digest: str, size: int, fetch: Fetch) -> bool:
        done = min(os.fstat(fd).st_size, size)
        os.ftruncate(fd, done)
        stream = bulk.Stream(os.dup(fd), durable=False)
        try:
            os.lseek(fd, 0, os.SEEK_SET)
            stream.resume(fd)
            for piece in fetch(done):
                stream.write(piece)
            if stream.finish() != (digest, size):
                return False
            os.fchmod(fd, 0o444)
            stream.seal(self.files.seal)
            place = str(self.root / "blake3" / key_of(digest))
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.rename(self._partial / digest[7:], place)
            return True
        finally:
            stream.close()

    # Who uses what, and what has to go

    def _lock(self, digest: str) -> int:
        fd = self._pins.get(digest, -1)
        if fd >= 0:
            self._pins.move_to_end(digest)
            return fd
        try:
            fd = os.open(self.root / "blake3" / key_of(digest), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return -1
        fcntl.flock(fd, fcntl.LOCK_SH)
        self._pin(digest, fd)
        return fd

    def _pin(self, digest: str, fd: int) -> None:
        self.unpin(digest)
        self._pins[digest] = fd
        while len(self._pins) > PINS:
            os.close(self._pins.popitem(last=False)[1])

    def unpin(self, digest: str) -> None:
        """Let go of a file that `pinned` gave."""
        fd = self._pins.pop(digest, -1)
        if fd >= 0:
            os.close(fd)

    def _added(self, size: int) -> None:
        """Count; look at the files themselves only when the count says that they are too many."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "usage").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            text = file.read()
            used = size + (int(text) if text.isdigit() else self._measure())
            if used > self.limit:
                used = self._make_room()
            file.truncate(0)
            file.write(str(used))

    def _measure(self) -> int:
        return sum(size for _, size, _ in self._contents())

    def _contents(self) -> list[tuple[float, int, str]]:
        """Last use, bytes and place of every file."""
        found: list[tuple[float, int, str]] = []
        for folder in (*_entries(self.root / "blake3"), self._partial):
            for entry in _entries(folder):
                with suppress(OSError):
                    status = entry.stat()
                    found.append((status.st_atime, status.st_size, entry.path))
        return found

    def _make_room(self) -> int:
        contents = sorted(self._contents())
        used = sum(size for _, size, _ in contents)
        for _, size, place in contents:
            if used <= self.limit * _ROOM:
                break
            if self._evict(place):
                used -= size
        return used

    def _evict(self, place: str) -> bool:
        """Remove a file that nobody holds a lock on."""
        try:
            fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(place)
        except OSError:
            return False
        finally:
            os.close(fd)
        return True


@cache
def _seal() -> int:
    """The time (ns) of large files whose bytes were checked since this machine was started."""
    boot = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
    return SEAL + zlib.crc32((boot or str(os.getppid())).encode()) % 1_000_000_000


def _touch(found: os.stat_result, path: Path) -> None:
    """Say that a file is in use; its time of change stays what it is."""
    if time.time() - found.st_atime > _TOUCH:
        with suppress(OSError):
            os.utime(path, ns=(time.time_ns(), found.st_mtime_ns))


def _is_first(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except OSError:
        return False


def _entries(folder: str | Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
