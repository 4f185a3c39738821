"""Large files: hashed with all cores while they are read or written, in bounded memory."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from blake3 import blake3

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

PIECE = 8 << 20  # bytes written and hashed at a time
PARALLEL = 1 << 20  # bytes from which a second thread pays
_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_CANNOT_CLONE = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS}

_forked = False


def _after_fork() -> None:
    # The thread pool inside blake3 does not survive a fork: its threads would be waited for.
    global _forked  # noqa: PLW0603
    _forked = _pooled


_pooled = False
os.register_at_fork(after_in_child=_after_fork)


def hasher() -> blake3:
    """A hasher for large content, with as many threads as are safe here."""
    global _pooled  # noqa: PLW0603
    if _forked:
        return blake3()
    _pooled = True
    return blake3(max_threads=blake3.AUTO)


def write_all(fd: int, view: memoryview) -> None:
    """Write every byte (one `write` may take less)."""
    while True:
        done = os.write(fd, view)
        if done == len(view):
            return
        view = view[done:]


def read_at(fd: int, start: int, length: int) -> bytes:
    """Up to `length` bytes from `start`; fewer only at the end of the file."""
    data = os.pread(fd, length, start)
    if len(data) == length or not data:
        return data
    parts = [data]
    total = len(data)
    while total < length and (data := os.pread(fd, length - total, start + total)):
        parts.append(data)
        total += len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_whole(fd: int, size: int) -> bytes:
    """All bytes of an open file that is about `size` bytes long."""
    data = os.pread(fd, size + 1, 0)
    if len(data) == size:
        return data
    while more := os.pread(fd, PIECE, len(data)):
        data += more
    return data


def pieces(fd: int) -> Iterator[memoryview]:
    """The rest of an open file in pieces, each valid until the next one is asked for."""
    buffer = memoryview(bytearray(PIECE))
    while count := os.readv(fd, [buffer]):
        yield buffer[:count]


def digest_file(fd: int) -> tuple[str, int]:
    """Digest and size of an open file, read from its start (not mapped: it may shrink)."""
    os.lseek(fd, 0, os.SEEK_SET)
    total = hasher()
    size = 0
    for piece in pieces(fd):
        total.update(piece)
        size += len(piece)
    return "blake3:" + total.hexdigest(), size


def clone_blocks(source: int, target: int) -> bool:
    """Let two open files share their blocks (reflink); False where the file system can't."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _CANNOT_CLONE:
            return False
        raise
    return True


def sync_directory(directory: str) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_filesystem(place: str) -> None:
    """Make everything durable that was written to the filesystem of a file or directory."""
    function = _c_function("syncfs", (_INT,))
    if function is None:
        os.sync()
        return
    fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if function(fd) != 0:
            raise OSError(errno.EIO, "the disk did not take what was written", place)
    finally:
        os.close(fd)


def copy_file(source: Path, target: Path, mode: int) -> None:
    """Copy content to a new file that shares no writable byte with the source."""
    with source.open("rb", buffering=0) as there:
        here = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            if not clone_blocks(there.fileno(), here):
                for piece in pieces(there.fileno()):
                    write_all(here, piece)
        finally:
            os.close(here)


class Stream:
    """An open file being filled: each piece is hashed in one thread and written in another.

    What is not `durable` stays in memory for as long as the system likes.
    """

    def __init__(self, fd: int, durable: bool = True) -> None:
        self._fd = fd
        self._durable = durable
        self._hash = hasher()
        self._size = 0
        self._threads: ThreadPoolExecutor | None = None

    def write(self, view: memoryview) -> None:
        """Append; both threads are done with the memory when this returns."""
        if len(view) < PARALLEL:
            self._hash.update(view)
            write_all(self._fd, view)
            self._size += len(view)
            return
        for start in range(0, len(view), PIECE):
            self._write_piece(view[start : start + PIECE])

    def clone(self, source: int) -> bool:
        """Become a clone of another file; hash what was cloned."""
        if not clone_blocks(source, self._fd):
            return False
        for piece in pieces(self._fd):
            self._hash.update(piece)
            self._size += len(piece)
        return True

    def resume(self, source: int) -> None:
        """Go on after what is in the file already; hash that, read through `source`."""
        for piece in pieces(source):
            self._hash.update(piece)
            self._size += len(piece)

    def finish(self) -> tuple[str, int]:
        """Digest and size of what was written."""
        return "blake3:" + self._hash.hexdigest(), self._size

    def seal(self, mtime: int | None) -> None:
        """Set the modification time (ns), and make the content durable if it is to be."""
        self._join()  # a late write would break the seal
        if mtime is not None:
            os.utime(self._fd, ns=(mtime, mtime))
        if self._durable:
            os.fsync(self._fd)

    def close(self) -> None:
        """Close the file; nothing happens the second time."""
        self._join()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write_piece(self, piece: memoryview) -> None:
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor  # it imports logging: 15 ms

            self._threads = ThreadPoolExecutor(1, "mainspring-hash")
        hashed = self._threads.submit(self._hash.update, piece)
        try:
            write_all(self._fd, piece)
        finally:
            hashed.result()
        # The disk starts now, not at fsync. Where that is unknown, fsync does all of the work.
        if self._durable:
            self._threads.submit(_start_writing(), self._fd, self._size, len(piece), 2)
        self._size += len(piece)

    def _join(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=True)
            self._threads = None


_INT, _LONG, _UNSIGNED = "c_int", "c_int64", "c_uint"


@cache
def _c_function(name: str, arguments: tuple[str, ...]) -> Callable[..., int] | None:
    """A function of the C library; None where it has none of that name."""
    import ctypes

    with suppress(AttributeError, OSError):
        function = ctypes.CDLL(None, use_errno=True)[name]
        function.argtypes = [getattr(ctypes, kind) for kind in arguments]
        return cast("Callable[..., int]", function)
    return None


def _start_writing() -> Callable[[int, int, int, int], object]:
    return _c_function("sync_file_range", (_INT, _LONG, _LONG, _UNSIGNED)) or _nothing


def _nothing(fd: int, start: int, length: int, flags: int) -> None:  # noqa: ARG001
    return None
