"""Large content on its way to a bucket: what leaves is hashed once more, and kept in the cache."""

from __future__ import annotations

import os
from collections.abc import Iterator

from mainspring.records.errors import BlobError
from mainspring.records.ports import Buffer
from mainspring.storage import bulk
from mainspring.storage.blobs import LocalBlobs

PIECE = 16 << 20  # bytes that are read, sent and kept at a time


def slices(view: memoryview) -> Iterator[memoryview]:
    """The bytes in pieces; nothing is copied."""
    return (view[start : start + PIECE] for start in range(0, len(view), PIECE))


def pieces_of(fd: int) -> Iterator[bytes]:
    """An open file in pieces that nobody writes to again: the client may hold several of them."""
    start = 0
    while piece := os.pread(fd, PIECE, start):
        yield piece
        start += len(piece)


def leaving(
    pieces: Iterator[Buffer], digest: str, size: int, cache: LocalBlobs | None
) -> Iterator[Buffer]:
    """Hand on the pieces; keep them in the cache while they are sent.

    Raises BlobError before the end, so that the upload is aborted, when they are not what the
    digest was taken of: somebody has written to the file meanwhile.
    """
    if cache is None:
        total, count = bulk.hasher(), 0
        for piece in pieces:
            yield piece
            total.update(piece)
            count += memoryview(piece).nbytes
        found = "blake3:" + total.hexdigest(), count
    else:
        with cache.writer() as writer:
            for piece in pieces:
                yield piece
                writer.write(piece)
            found = writer.commit()
    if found != (digest, size):
        raise BlobError(
            "the content has changed while it was being stored",
            hint="finish writing a file before it is returned from a step",
        )
