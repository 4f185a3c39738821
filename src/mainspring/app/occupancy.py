"""Who uses a project's home now: many at a time, or `gc` alone.

A run that is being prepared has blobs that no record names yet. What prepares and drives runs
holds the lock shared; who deletes needs it exclusive. The kernel drops it with the process.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from mainspring.records.errors import ConflictError, ProjectError

_FILE = "in-use.lock"


@contextmanager
def in_use(home: Path) -> Generator[None]:
    """Keep `gc` away from the home; waits while one is at work."""
    handle = _open(home)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


@contextmanager
def alone(home: Path) -> Generator[None]:
    """Be the only one. Raises ConflictError when a run is being prepared or driven."""
    handle = _open(home)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(
                "another Mainspring is at work in this project",
                hint="wait until its runs have ended; `mainspring runs` lists them",
            ) from None
        yield
    finally:
        os.close(handle)


def _open(home: Path) -> int:
    try:
        return os.open(home / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ProjectError(
            f"the project's home can't be written: {error.strerror}", where=str(home)
        ) from None
