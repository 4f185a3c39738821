"""SHA-256 of a stream of pieces, computed beside whatever else is done with them."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

APART = 256 << 10  # bytes from which a piece is worth another thread


class Sums:
    """Hashes one file after another; a context manager, since it has a thread.

    A piece must not be changed before the next one is given.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "mainspring-sums")
        self._hash = hashlib.sha256()
        self._coming: Future[None] | None = None

    def update(self, piece: Any) -> None:
        """Take the next piece of the present file."""
        self._wait()
        if len(piece) < APART:
            self._hash.update(piece)
        else:
            self._coming = self._pool.submit(self._hash.update, piece)

    def finish(self) -> str:
        """The digest of the present file, in hex; a new one begins."""
        self._wait()
        found = self._hash.hexdigest()
        self._hash = hashlib.sha256()
        return found

    def _wait(self) -> None:
        if self._coming is not None:
            self._coming.result()
            self._coming = None

    def __enter__(self) -> Sums:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown()
