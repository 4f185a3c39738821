"""Many files on their way into the blobs of a local disk: hashed, written, and synced together.

One at a time, each file waits for the disk. Here the disk is waited for once for a part of them:
their bytes are durable before any of them gets the name under which it is found.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from mainspring.records.errors import BlobError, MainspringError
from mainspring.records.ports import Blobs
from mainspring.storage import bulk
from mainspring.storage.blobs import SMALL, LocalBlobs, opened
from mainspring.storage.disk_errors import explained

PART = 2_000  # files that are synced together, at most
PART_SIZE = 64 << 20  # and their bytes
SENT_AT_ONCE = 8  # files that are sent to a bucket at the same time
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


class Stored(NamedTuple):
    """A file that was taken in: the digest's 32 bytes, its state before and after."""

    digest: bytes
    before: os.stat_result
    after: os.stat_result


class ChangedError(MainspringError):
    """A file was written to while it was read."""

    def __init__(self, path: str) -> None:
        super().__init__(
            "changed while it was read", where=ascii(path)[1:-1], hint="end what writes it first"
        )


class _Pending(NamedTuple):
    at: int  # in the list that is returned
    source: str  # a temporary file, or the user's own


class Intake:
    """Takes files into local blobs; with `link` they become blobs themselves, on the spot."""

    def __init__(self, blobs: LocalBlobs, *, link: bool = False) -> None:
        self._blobs = blobs
        self._link = link

    def store(self, paths: Sequence[str]) -> list[Stored]:
        """Store some files, in order. Raises ChangedError, MainspringError, BlobError: those that
        were stored by then are not lost, but may not be durable."""
        found: list[Stored] = []
        pending: dict[str, _Pending] = {}
        size = 0
        try:
            with explained(self._blobs.root):
                for path in paths:
                    found.append(self._take(path, len(found), pending))
                    size += found[-1].before.st_size
                    if len(pending) >= PART or size >= PART_SIZE:
                        self._publish(pending, found)
                        size = 0
                self._publish(pending, found)
        finally:
            if not self._link:
                for rest in pending.values():
                    with suppress(OSError):
                        os.unlink(rest.source)
        return found

    def _take(self, path: str, at: int, pending: dict[str, _Pending]) -> Stored:
        fd = _open(path)
        try:
            before = os.fstat(fd)
            if before.st_size > SMALL or not stat.S_ISREG(before.st_mode):
                return self._take_large(path, fd, before, at, pending)
            data = os.read(fd, before.st_size + 1)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if len(data) != before.st_size or not _same(before, after):
            raise ChangedError(path)
        total = blake3(data)
        place = self._blobs.place_for("blake3:" + total.hexdigest(), len(data))
        if place is not None and place not in pending:
            source = path if self._link else self._write(data)
            pending[place] = _Pending(at, source)
        return Stored(total.digest(), before, after)

    def _take_large(
        self, path: str, fd: int, before: os.stat_result, at: int, pending: dict[str, _Pending]
    ) -> Stored:
        if not stat.S_ISREG(before.st_mode):
            raise MainspringError("is not a regular file", where=ascii(path)[1:-1])
        if self._link:
            digest, size = bulk.digest_file(fd)
            place = self._blobs.place_for(digest, size)
            if place is not None and place not in pending:
                pending[place] = _Pending(at, path)
        else:
            digest, size = self._blobs.put_file(Path(path))
        after = os.fstat(fd)
        if size != before.st_size or not _same(before, after):
            raise ChangedError(path)
        return Stored(bytes.fromhex(digest[7:]), before, after)

    def _write(self, data: bytes) -> str:
        fd, temporary = self._blobs.create_temp()
        try:
            bulk.write_all(fd, memoryview(data))
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        finally:
            os.close(fd)
        return temporary

    def _publish(self, pending: dict[str, _Pending], found: list[Stored]) -> None:
        if not pending:
            return
        if self._blobs.durable:
            os.makedirs(self._blobs.root, exist_ok=True)
            bulk.sync_filesystem(str(self._blobs.root))
        while pending:
            place, one = pending.popitem()
            if self._link:
                found[one.at] = self._made_a_blob(one, place, found[one.at])
            else:
                self._blobs.publish(one.source, place, sync=False)
        if self._blobs.durable:
            bulk.sync_filesystem(str(self._blobs.root))  # the names, and new folders

    def _made_a_blob(self, one: _Pending, place: str, stored: Stored) -> Stored:
        """Give the user's file a second name among the blobs, and protect it from being written."""
        mode = stat.S_IMODE(stored.before.st_mode)
        if not _hard_link(one.source, place):
            return stored
        os.chmod(place, mode & ~0o222)
        after = os.stat(place)
        if not _same(stored.before, after):
            os.unlink(place)
            os.chmod(one.source, mode)
            raise ChangedError(one.source)
        if after.st_size > SMALL:
            os.utime(place, ns=(after.st_atime_ns, self._blobs.seal))
            after = os.stat(place)
        return stored._replace(after=after)


def _hard_link(source: str, place: str) -> bool:
    """Link a file; False if somebody else has just made a blob of the same content."""
    for _ in range(3):
        try:
            os.link(source, place)
            return True
        except FileNotFoundError:
            os.makedirs(os.path.dirname(place), exist_ok=True)
        except FileExistsError:
            if os.path.getsize(place) == os.path.getsize(source):
                return False
            os.unlink(place)  # cut short: no blob
        except OSError as error:
            raise _unlinkable(source, error) from error
    raise ChangedError(source)


class SendingIntake:
    """Takes files into blobs of any other kind, some of them at once."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def store(self, paths: Sequence[str]) -> list[Stored]:
        """As `Intake.store`."""
        if len(paths) < SENT_AT_ONCE:
            return [self._one(path) for path in paths]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(SENT_AT_ONCE, "mainspring-intake") as pool:
            return list(pool.map(self._one, paths))

    def _one(self, path: str) -> Stored:
        fd = _open(path)
        try:
            before = os.fstat(fd)
            digest, size = self._blobs.put_file(Path(path))
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if size != before.st_size or not _same(before, after):
            raise ChangedError(path)
        return Stored(bytes.fromhex(digest[7:]), before, after)


class HashingIntake:
    """Takes nothing in: files stay where they are, and only their digests are found."""

    def store(self, paths: Sequence[str]) -> list[Stored]:
        """As `Intake.store`."""
        return [hashed(path) for path in paths]


def hashed(path: str) -> Stored:
    """Find a file's digest. Raises ChangedError, BlobError."""
    with opened(Path(path)) as fd:
        before = os.fstat(fd)
        if before.st_size <= SMALL:
            data = os.read(fd, before.st_size + 1)
            digest, size = blake3(data).digest(), len(data)
        else:
            text, size = bulk.digest_file(fd)
            digest = bytes.fromhex(text[7:])
        after = os.fstat(fd)
    if size != before.st_size or not _same(before, after):
        raise ChangedError(path)
    return Stored(digest, before, after)


def intake(blobs: Blobs, *, link: bool = False) -> Intake | SendingIntake:
    """What takes files into these blobs. Raises MainspringError where they can't be linked."""
    if isinstance(blobs, LocalBlobs):
        return Intake(blobs, link=link)
    if link:
        raise MainspringError(
            "files can't be linked into blobs that are in a bucket",
            hint="leave --link out, or let the data stay where it is: --reference",
        )
    return SendingIntake(blobs)


def _open(path: str) -> int:
    try:
        return os.open(path, _READ)
    except OSError as error:
        raise BlobError(f"can't read {ascii(path)[1:-1]}: {error.strerror}") from error


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return before.st_size == after.st_size and before.st_mtime_ns == after.st_mtime_ns


def _unlinkable(path: str, error: OSError) -> MainspringError:
    where = ascii(path)[1:-1]
    if error.errno == errno.EXDEV:
        return MainspringError(
            "can't be linked: it is on another filesystem than the project's blobs",
            where=where,
            hint="leave --link out, or let the data stay where it is: --reference",
        )
    return MainspringError(
        f"can't be linked: {error.strerror}",
        where=where,
        hint="leave --link out: then a copy is stored",
    )
