"""Who is alive: an engine holds a lock on `engines/<id>.lock`, which the kernel drops with it.

flock(2), not fcntl(2): the latter always grants a process its own lock again, and drops it when
any descriptor of the file is closed. An flock, though, is shared with forked children, so a child
closes its copy at once; otherwise an engine would seem to live as long as its last child.
"""

from __future__ import annotations

import os
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from time import monotonic, sleep
from weakref import WeakSet

from mainspring.records.errors import ConflictError, StoreError

_TRIES = 0.5  # seconds: who asks after an engine holds its lock for some microseconds


class FileLeases:
    """Leases as locked files in one folder (records.stores.Leases)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}
        _instances.add(self)

    def hold(self, engine: str) -> None:
        """Take the lease. Raises ConflictError if another engine of this name is alive."""
        if engine in self._held:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._held[engine] = self._lock(engine)
        except OSError as error:
            raise StoreError(
                f"the engine's lock can't be written: {error.strerror}",
                where=str(self._folder),
                hint="check the permissions of the project's home, and that its disk has space",
            ) from error

    def release(self, engine: str) -> None:
        """Give the lease back; nothing if it is not held."""
        handle = self._held.pop(engine, None)
        if handle is not None:
            self._remove(engine, handle)
            os.close(handle)

    def alive(self, engine: str) -> bool:
        """Whether a process holds the lease. A dead one's file is removed."""
        if engine in self._held:
            return True
        try:
            handle = os.open(self._path(engine), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            flock(handle, LOCK_SH | LOCK_NB)  # shared: two who ask don't mistake each other
            with suppress(BlockingIOError):
                flock(handle, LOCK_EX | LOCK_NB)
                self._remove(engine, handle)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def living(self) -> list[str]:
        """Every engine whose lease is held."""
        return [e.stem for e in sorted(self._folder.glob("*.lock")) if self.alive(e.stem)]

    def close(self) -> None:
        """Nothing is open but what is held."""

    def forget(self) -> None:
        """In a forked child: close the parent's locks, which stay the parent's."""
        for handle in self._held.values():
            with suppress(OSError):
                os.close(handle)
        self._held.clear()

    def _path(self, engine: str) -> Path:
        return self._folder / f"{engine}.lock"

    def _lock(self, engine: str) -> int:
        deadline = monotonic() + _TRIES
        while True:
            handle = os.open(self._path(engine), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                flock(handle, LOCK_EX | LOCK_NB)
                if self._is_present(engine, handle):
                    return handle
            except BlockingIOError:
                if monotonic() >= deadline:
                    os.close(handle)
                    raise ConflictError(f"engine {engine} is alive in another process") from None
                sleep(0.005)
            os.close(handle)

    def _is_present(self, engine: str, handle: int) -> bool:
        """Whether the path still names the locked file: it may have been removed meanwhile."""
        try:
            there = os.stat(self._path(engine))
        except FileNotFoundError:
            return False
        mine = os.fstat(handle)
        return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)

    def _remove(self, engine: str, handle: int) -> None:
        """Unlink the file whose exclusive lock is held; only its holder ever does."""
        with suppress(FileNotFoundError):
            if self._is_present(engine, handle):
                os.unlink(self._path(engine))


_instances: WeakSet[FileLeases] = WeakSet()


def _forget_all() -> None:
    for leases in list(_instances):
        leases.forget()


os.register_at_fork(after_in_child=_forget_all)
