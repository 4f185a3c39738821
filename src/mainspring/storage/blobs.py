"""Blobs on a local disk: immutable, content-addressed files, durable before they have a name."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from blake3 import blake3

from mainspring.records.errors import BlobError, CorruptBlobError
from mainspring.records.ports import BlobEntry, BlobPlace, Buffer
from mainspring.storage import bulk
from mainspring.storage.disk_errors import explained, unreadable

SMALL = 1 << 20  # bytes: up to here a blob is one write, and is hashed again at every read
SEAL = 1_000_000_000 * 10**9  # mtime (ns) of a large blob: nothing has written to it since
FOREIGN_TEMP_AGE = 24 * 3600.0  # seconds after which another machine's temporary file is stale

_DIGEST = re.compile(r"blake3:[0-9a-f]{64}", re.ASCII)
_REST = re.compile(r"[0-9a-f]{62}", re.ASCII)
_numbers = itertools.count()


@contextmanager
def opened(path: Path) -> Generator[int]:
    """The descriptor of a file whose content is to be stored. Raises BlobError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise BlobError(f"can't read {path}: {error.strerror}") from error
    try:
        yield fd
    finally:
        os.close(fd)


class LocalBlobs:
    """The blobs below `root`; implements `records.ports.Blobs`. Safe for concurrent processes.

    `blake3/ab/<62 hex>` are the blobs, `tmp/` what is being written, `corrupt/` what was found
    damaged. Any number of processes may write the same content: the last rename wins, and all
    of them name the same bytes.
    """

    def __init__(self, root: Path, *, seal: int = SEAL, durable: bool = True) -> None:
        """Open them. A cache of what is kept elsewhere need not be `durable`: its own `seal` then
        has to be another one after every start of the machine."""
        self.root = root
        self.seal = seal
        self.durable = durable
        self.place = BlobPlace(root=os.path.realpath(root))
        self._base = os.path.join(root, "blake3")
        self._tmp = os.path.join(root, "tmp")

    def has(self, digest: str) -> bool:
        """Whether a blob of that name is there (its bytes are not looked at)."""
        return os.path.exists(self._place(digest))

    def writer(self) -> LocalWriter:
        """A writer for content of any size; see `records.ports.BlobWriter`."""
        return LocalWriter(self)

    def put(self, data: Buffer) -> tuple[str, int]:
        """Store the bytes; return their digest and size."""
        view = memoryview(data)
        if view.nbytes > SMALL:
            with self.writer() as writer:
                writer.write(data)
                return writer.commit()
        digest = "blake3:" + blake3(data).hexdigest()
        place = self._place(digest)
        if _size_at(place) != view.nbytes:
            with explained(self.root):
                self._write_small(view, place)
        return digest, view.nbytes

    def put_file(self, path: Path) -> tuple[str, int]:
        """Store a file's content; share its disk blocks where the file system can (reflink)."""
        with opened(path) as source:
            size = os.fstat(source).st_size
            if size <= SMALL:  # and not a byte more: memory for 1 MB costs more than the rest
                return self.put(bulk.read_whole(source, size))
            return self.clone(source) or self._copy(source)

    def path(self, digest: str) -> Path:
        """The blob's file, checked: bytes hashed when it is small or its seal is broken."""
        place = self._place(digest)
        try:
            stat = os.stat(place)
            if stat.st_size <= SMALL:
                self._load(digest, place, stat.st_size)
            elif stat.st_mtime_ns != self.seal:
                self._reseal(digest, place)
        except OSError as error:
            raise unreadable(digest, error) from error
        return Path(place)

    def read(self, digest: str) -> bytes:
        """The blob's bytes, checked like `path`."""
        place = self._place(digest)
        try:
            size = os.stat(place).st_size
            if size <= SMALL:
                return self._load(digest, place, size)
            return self.path(digest).read_bytes()
        except OSError as error:
            raise unreadable(digest, error) from error

    def delete(self, digest: str) -> None:
        """Remove a blob; one that is not there is no error."""
        with explained(self.root), suppress(FileNotFoundError):
            os.unlink(self._place(digest))

    def all(self) -> Iterator[tuple[str, int]]:
        """Every blob's digest and size in bytes, in no order."""
        return ((blob.digest, blob.size) for blob in self.listing())

    def listing(self) -> Iterator[BlobEntry]:
        """Every blob; its time is the ctime, since the mtime is a seal."""
        for fan in _entries(self._base):
            for entry in _entries(fan.path):
                if len(fan.name) == 2 and _REST.fullmatch(entry.name):
                    with suppress(FileNotFoundError):
                        found = entry.stat()
                        yield BlobEntry(
                            f"blake3:{fan.name}{entry.name}", found.st_size, found.st_ctime
                        )

    def intact(self, digest: str, size: int | None = None) -> bool:
        """Whether `path` would give the blob."""
        try:
            return size in (None, self.path(digest).stat().st_size)
        except (BlobError, OSError):
            return False

    def sweep(self) -> int:
        """Remove what dead processes left half-written; return how many files that were."""
        removed = 0
        host = _host()
        for entry in _entries(self._tmp):
            owner, _, rest = entry.name.partition("-")
            pid = rest.partition("-")[0]
            with suppress(OSError):
                if owner == host and pid.isdigit():
                    stale = not _alive(int(pid))
                else:
                    stale = time.time() - entry.stat().st_mtime > FOREIGN_TEMP_AGE
                if stale:
                    os.unlink(entry.path)
                    removed += 1
        return removed

    # How the bytes get to the disk

    def create_temp(self) -> tuple[int, str]:
        """Open a new temporary file for writing; it is read-only for everybody else."""
        for _ in range(100):
            name = os.path.join(self._tmp, f"{_host()}-{os.getpid()}-{next(_numbers)}")
            try:
                return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444), name
            except FileNotFoundError:
                os.makedirs(self._tmp, exist_ok=True)
                os.makedirs(self._base, exist_ok=True)
                bulk.sync_directory(str(self.root))
            except FileExistsError:  # left by a dead process that had the same id
                continue
        raise BlobError(f"can't make a temporary file in {self._tmp}")

    def publish(self, temp: str, place: str, *, sync: bool = True) -> None:
        """Rename a finished temporary file into its place. Without `sync` the caller makes a new
        folder's name durable."""
        try:
            os.rename(temp, place)
        except FileNotFoundError:
            fan = os.path.dirname(place)
            os.makedirs(fan, exist_ok=True)
            if sync:
                bulk.sync_directory(self._base)
            os.rename(temp, place)

    def place_for(self, digest: str, size: int) -> str | None:
        """Where a blob belongs, or None if it is already there in full length."""
        place = self._place(digest)
        return None if _size_at(place) == size else place

    def _write_small(self, view: memoryview, place: str) -> None:
        fd, temp = self.create_temp()
        try:
            try:
                bulk.write_all(fd, view)
                if self.durable:
                    os.fdatasync(fd)
            finally:
                os.close(fd)
            self.publish(temp, place)
        except BaseException:
            with suppress(OSError):
                os.unlink(temp)
            raise

    def clone(self, source: int) -> tuple[str, int] | None:
        """Store an open file by sharing its disk blocks; None where the file system can't."""
        with self.writer() as writer, explained(self.root):
            return writer.commit() if writer.clone(source) else None

    def _copy(self, source: int) -> tuple[str, int]:
        # Hashed first: to find that a large file is already stored costs no write.
        digest, size = bulk.digest_file(source)
        if self.place_for(digest, size) is None:
            return digest, size
        with self.writer() as writer:
            os.lseek(source, 0, os.SEEK_SET)
            for piece in bulk.pieces(source):
                writer.write(piece)
            return writer.commit()

    # How the bytes are checked

    def _place(self, digest: str) -> str:
        return f"{self._base}/{key_of(digest)}"

    def _load(self, digest: str, place: str, size: int) -> bytes:
        fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = bulk.read_whole(fd, size)
        finally:
            os.close(fd)
        if blake3(data).hexdigest() != digest[7:]:
            raise self._corrupt(digest, place)
        return data

    def _reseal(self, digest: str, place: str) -> None:
        fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            actual, _ = bulk.digest_file(fd)
        finally:
            os.close(fd)
        if actual != digest:
            raise self._corrupt(digest, place)
        with suppress(OSError):  # a store that may only be read is checked every time
            os.utime(place, ns=(self.seal, self.seal))

    def _corrupt(self, digest: str, place: str) -> CorruptBlobError:
        aside = os.path.join(self.root, "corrupt")
        note = f"the damaged file was moved to {aside}"
        try:
            os.makedirs(aside, exist_ok=True)
            os.replace(place, os.path.join(aside, digest[7:]))
        except OSError as error:
            note = f"the damaged file could not be moved aside ({error.strerror})"
        return CorruptBlobError(
            f"blob {digest} is corrupt: its bytes have another digest; {note}",
            hint="run the pipeline again: what made it will be computed anew",
        )


def key_of(digest: str) -> str:
    """Where a blob lies below the place of all of them: `ab/<62 hex>`. Raises BlobError."""
    if not _DIGEST.fullmatch(digest):
        raise BlobError(
            f"not a blob digest: {digest!r}", hint="a digest is `blake3:` and 64 hex digits"
        )
    return f"{digest[7:9]}/{digest[9:]}"


class LocalWriter:
    """One blob being written: hashed in a second thread while the first one writes."""

    def __init__(self, store: LocalBlobs) -> None:
        self._store = store
        self._pending = bytearray()
        self._stream: bulk.Stream | None = None
        self._temp = ""

    def write(self, data: Buffer) -> int:
        """Append the bytes; they may be changed by the caller once this returns."""
        view = memoryview(data)
        if view.nbytes == 0:
            return 0
        view = view.cast("B")
        if len(self._pending) + len(view) > SMALL:
            with explained(self._store.root):
                self._flush()
                if len(view) > SMALL:
                    self._opened().write(view)
                    return len(view)
        self._pending += view
        return len(view)

    def clone(self, source: int) -> bool:
        """Take over the blocks of an open file; False where the file system can't."""
        return self._opened().clone(source)

    def commit(self) -> tuple[str, int]:
        """Make it durable and visible; return its digest and size in bytes."""
        if self._stream is None:
            return self._store.put(self._pending)
        with explained(self._store.root):
            self._flush()
            digest, size = self._stream.finish()
            place = self._store.place_for(digest, size)
            if place is not None:
                self._stream.seal(self._store.seal if size > SMALL else None)
                self._stream.close()
                self._store.publish(self._temp, place)
                self._temp = ""
        self._discard()
        return digest, size

    def __enter__(self) -> LocalWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._discard()

    def _opened(self) -> bulk.Stream:
        if self._stream is None:
            fd, self._temp = self._store.create_temp()
            self._stream = bulk.Stream(fd, self._store.durable)
        return self._stream

    def _flush(self) -> None:
        if self._pending:
            self._opened().write(memoryview(self._pending))
            self._pending = bytearray()

    def _discard(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._temp:
            with suppress(OSError):
                os.unlink(self._temp)
            self._temp = ""
        self._pending = bytearray()


def _size_at(place: str) -> int:
    try:
        return os.stat(place).st_size
    except OSError:
        return -1


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


_host_name = ""


def _host() -> str:
    """Names this boot and process namespace: only here does a process id mean anything."""
    global _host_name  # noqa: PLW0603
    if not _host_name:
        text = ""
        with suppress(OSError):
            text = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
            text += os.readlink("/proc/self/ns/pid")
        _host_name = blake3(text.encode()).hexdigest()[:8]
    return _host_name


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
