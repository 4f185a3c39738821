"""A blob looked at as a whole, whatever is believed of it: what `data verify` asks for."""

from __future__ import annotations

import os

from mainspring.records.errors import BlobError, CorruptBlobError
from mainspring.records.ports import Blobs
from mainspring.storage import bulk
from mainspring.storage.blobs import SMALL, LocalBlobs


def examine(blobs: Blobs, digest: str, size: int) -> str:
    """Read a blob's bytes, all of them; return what is wrong with it, or nothing.

    One that is damaged is moved aside: it counts as missing from then on.
    """
    try:
        if not isinstance(blobs, LocalBlobs) and not blobs.intact(digest, size):
            return "is missing"
        path = blobs.path(digest)  # checked by its bytes if it is small, else by its seal
        found = os.stat(path)
        if found.st_size != size:
            return f"has {found.st_size} bytes instead of {size}"
        if found.st_size > SMALL and _digest(path) != digest:
            # Its seal is whole, so nobody wrote to it: without one, all of it is read and refused.
            os.utime(path)
            blobs.path(digest)
    except CorruptBlobError:
        return "is damaged: its bytes have another digest"
    except BlobError as error:
        return "is missing" if "missing" in error.what else error.what
    except OSError as error:
        return f"can't be read: {error.strerror}"
    return ""


def _digest(path: str | os.PathLike[str]) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return bulk.digest_file(fd)[0]
    finally:
        os.close(fd)
