"""Blobs of which some are given and may only be read, and new ones go to another directory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from mainspring.records.ports import BlobEntry, BlobPlace, BlobWriter, Buffer
from mainspring.storage.blobs import LocalBlobs


class LayeredBlobs:
    """Implements `records.ports.Blobs`: what is in `given` is never written to `made`'s place."""

    def __init__(self, given: LocalBlobs, made: LocalBlobs) -> None:
        self._given = given
        self._made = made

    @property
    def place(self) -> BlobPlace:
        """Where the given ones are."""
        return self._given.place

    def _with(self, digest: str) -> LocalBlobs:
        return self._given if self._given.has(digest) else self._made

    def has(self, digest: str) -> bool:
        """Whether there is such a blob in either."""
        return self._with(digest).has(digest)

    def intact(self, digest: str, size: int | None = None) -> bool:
        """Whether `path` would give the blob."""
        return self._with(digest).intact(digest, size)

    def writer(self) -> BlobWriter:
        """A writer of a new blob."""
        return self._made.writer()

    def put(self, data: Buffer) -> tuple[str, int]:
        """Store the bytes; return their digest and size."""
        return self._made.put(data)

    def put_file(self, path: Path) -> tuple[str, int]:
        """Store a file's content; return its digest and size."""
        return self._made.put_file(path)

    def path(self, digest: str) -> Path:
        """The blob's file, checked."""
        return self._with(digest).path(digest)

    def read(self, digest: str) -> bytes:
        """The blob's bytes, checked."""
        return self._with(digest).read(digest)

    def delete(self, digest: str) -> None:
        """Remove a new blob; a given one stays."""
        self._made.delete(digest)

    def listing(self) -> Iterator[BlobEntry]:
        """Every blob of both."""
        return chain(self._given.listing(), self._made.listing())

    def sweep(self) -> int:
        """Remove what was left half-written among the new ones; return how many files."""
        return self._made.sweep()
