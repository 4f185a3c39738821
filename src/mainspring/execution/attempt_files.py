"""The files of one attempt: `<home>/attempts/<id>/`, and the one rule of `outcome.json`.

Whoever ends an attempt creates its outcome if absent; what is there already is what counts.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import math
import os
import re
import shutil
import stat
import struct
from pathlib import Path
from typing import BinaryIO

import msgspec

from mainspring.records.runs import Outcome, Usage

BUSY = 75  # exit status of a worker that found the attempt in other hands, and did nothing
LARGEST = 64 << 20
"""Bytes of an outcome at most."""

_FLOCK = "hhqqi"
_DIGEST = re.compile(r"blake3:[0-9a-f]{64}", re.ASCII)
_LIMITS = 10_000  # bytes of limits in a lock file at most
_NO_FILE = (errno.ELOOP, errno.ENXIO, errno.ENODEV)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Outcome).decode


def encode(outcome: Outcome) -> bytes:
    """Return the bytes of `outcome.json`; the same bytes travel to the executor."""
    return _encode(outcome)


def decode(data: bytes, attempt: str) -> Outcome:
    """Read the bytes of an `outcome.json`, which a step may have written.

    Raises msgspec.DecodeError unless they are a whole outcome of this attempt.
    """
    try:
        found = _decode(data)
    except RecursionError:
        raise msgspec.DecodeError("it is nested too deeply") from None
    if found.attempt != attempt:
        raise msgspec.DecodeError("it is of another attempt")
    whole = _is_sound(found.usage) and all(
        _DIGEST.fullmatch(ref.digest) and 0 <= ref.size < 2**63 and 0 <= (ref.count or 0) < 2**63
        for ref in found.outputs.values()
    )
    if not whole or not all(math.isfinite(at) for at in (found.started, found.ended)):
        raise msgspec.DecodeError("it has a value that can't be")
    return found


def _is_sound(usage: Usage) -> bool:
    whole = (usage.peak_memory, usage.gpu_memory)
    return all(0 <= n < 2**63 for n in whole) and math.isfinite(usage.wall + usage.cpu)


def open_plain(path: str | Path) -> BinaryIO:
    """Open a file that a step may have put there: what is no plain file counts as absent.

    A link could lead anywhere, a pipe makes its reader wait. Raises FileNotFoundError.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in _NO_FILE:
            raise FileNotFoundError(errno.ENOENT, "not a plain file", str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileNotFoundError(errno.ENOENT, "not a plain file", str(path))
    return open(fd, "rb")


class AttemptFiles:
    """Paths of one attempt, as text: they are made on the critical path of every attempt."""

    __slots__ = ("container", "directory", "lock", "log", "media", "metrics", "outcome", "work")

    def __init__(self, home: str | Path, attempt: str) -> None:
        directory = f"{home}/attempts/{attempt}"
        self.directory = directory
        self.outcome = directory + "/outcome.json"
        self.log = directory + "/log"
        self.container = directory + "/container"
        self.lock = directory + "/lock"
        self.metrics = directory + "/metrics.jsonl"
        self.media = directory + "/media.jsonl"
        self.work = directory + "/work"

    def create(self) -> None:
        """Make the directory; one that is there already is fine."""
        try:
            os.mkdir(self.directory)
        except FileExistsError:
            pass
        except FileNotFoundError:
            os.makedirs(self.directory, exist_ok=True)

    def take_lock(self) -> int | None:
        """Lock the attempt for this process until it ends; None when somebody else has it.

        A POSIX lock, so that processes which the step forks do not keep it held.
        """
        fd = os.open(self.lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return None
        return fd

    def write_limits(self, lock: int, limits: dict[str, float]) -> None:
        """Leave what the attempt must keep to in its lock file, for who may adopt it."""
        os.write(lock, msgspec.json.encode(limits))

    def limits(self) -> dict[str, float]:
        """What `write_limits` has left."""
        try:
            with open_plain(self.lock) as file:
                return msgspec.json.decode(file.read(_LIMITS) or b"{}", type=dict[str, float])
        except (OSError, msgspec.DecodeError):
            return {}

    def holder(self) -> int | None:
        """The process that holds the lock, or None. Not for the holder itself to call."""
        try:
            fd = os.open(self.lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            query = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, query))
        finally:
            os.close(fd)
        return None if kind == fcntl.F_UNLCK else pid

    def ended(self) -> bool:
        """Whether an outcome is there."""
        return os.access(self.outcome, os.F_OK)

    def read(self) -> Outcome | None:
        """The durable outcome, or None; raises msgspec.DecodeError when it was tampered with."""
        try:
            with open_plain(self.outcome) as file:
                data = file.read(LARGEST + 1)
        except FileNotFoundError:
            return None
        if len(data) > LARGEST:
            raise msgspec.DecodeError(f"it has more than {LARGEST >> 20} MiB")
        return decode(data, os.path.basename(self.directory))

    def publish(self, data: bytes) -> bool:
        """Create `outcome.json` durably; False, and nothing changed, when there is one."""
        try:
            fd = os.open(self.directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o444)
        except (OSError, AttributeError):
            return self._publish_by_name(data)
        try:
            _write_all(fd, data)
            os.fsync(fd)
            # A directory descriptor makes os.link follow the link in /proc (AT_SYMLINK_FOLLOW).
            os.link(f"/proc/self/fd/{fd}", self.outcome, src_dir_fd=fd, follow_symlinks=True)
        except FileExistsError:
            return False
        except FileNotFoundError:
            return self._publish_by_name(data)
        finally:
            os.close(fd)
        return True

    def _publish_by_name(self, data: bytes) -> bool:
        """The same where the file system has no unnamed files, or /proc is not mounted."""
        temporary = f"{self.outcome}.{os.getpid()}"
        fd = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o444)
        try:
            _write_all(fd, data)
            os.fsync(fd)
            os.link(temporary, self.outcome)
        except FileExistsError:
            return False
        finally:
            os.close(fd)
            os.unlink(temporary)
        return True

    def remove_work(self) -> None:
        """Delete the scratch directory, if one was made."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.work, ignore_errors=True)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
