"""What a disk's refusals mean to somebody who stores or reads blobs."""

from __future__ import annotations

import errno
from pathlib import Path
from types import TracebackType

from mainspring.records.errors import BlobError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}


class explained:  # a context manager by class: half the cost of a generator, once per task
    """Turns a disk's refusal into a BlobError that says what to do."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError):
            raise _unwritable(self._root, error) from error


def _unwritable(root: Path, error: OSError) -> BlobError:
    if error.errno in _FULL:
        return BlobError(
            f"no space left for blobs in {root}",
            hint="free some disk space, then run again: nothing half-written was kept",
        )
    if error.errno in _FORBIDDEN:
        return BlobError(
            f"can't write blobs in {root}: {error.strerror}",
            hint="give this user write permission there, or choose another home",
        )
    return BlobError(f"can't write blobs in {root}: {error.strerror or error}")


def unreadable(digest: str, error: OSError) -> BlobError:
    """The error for a blob whose file can't be read, or is not there."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return missing(digest)
    return BlobError(f"can't read blob {digest}: {error.strerror or error}")


def missing(digest: str) -> BlobError:
    """The error for a blob that is nowhere."""
    return BlobError(
        f"blob {digest} is missing",
        hint="run the pipeline again: what made it will be computed anew",
    )
