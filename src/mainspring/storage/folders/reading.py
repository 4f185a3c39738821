"""A directory taken in as a whole: what is known is not read again, the rest is stored in parts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol

from mainspring.records.ports import Blobs
from mainspring.storage.folders.manifest import FileEntry, ManifestWriter
from mainspring.storage.folders.statcache import WIDTH, Known, StatCache, StatWriter, Summary
from mainspring.storage.folders.walk import EXECUTABLE, Folder, Row, encode
from mainspring.storage.intake import Stored

PART = 4_000  # files that are read before what was found of them is written down
HELD = 20_000  # files whose names are held until then

Progress = Callable[[int, int], None]
"""Told now and then how many files, and how many of their bytes, were read."""

Believed = Callable[[bytes, int], bool]
"""Whether a digest that is remembered, and a size, still stand for something."""


class Taking(Protocol):
    """What files are given to: one of the intakes of storage/intake.py."""

    def store(self, paths: list[str]) -> list[Stored]: ...


class _Part(NamedTuple):
    """A folder whose unknown files have still to be read: `fresh` are their places in `rows`."""

    folder: Folder
    known: Known | None  # where it is as it was
    digests: list[bytes]
    fresh: list[int]


class Tree(Protocol):
    """What is read: a directory (walk.Walk), or one file as if it were alone in one (walk.One)."""

    kind: str

    def folders(self) -> Iterator[Folder]: ...


class Reading:
    """One reading of a directory or file; a block, which leaves no temporary file."""

    def __init__(self, tree: Tree, cache: Path, *, progress: Progress | None = None) -> None:
        """`cache` is the file of the stat cache."""
        self._tree = tree
        self._cache = cache
        self._progress = progress
        self._started = time.time_ns()
        self._parts: list[_Part] = []
        self._waiting = self._held = 0
        self._closing = ExitStack()
        self.read = self.read_size = 0  # files that were read, and their bytes

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.close()

    @property
    def kind(self) -> str:
        """ "directory" or "file"."""
        return self._tree.kind

    def before(self) -> Summary | None:
        """What it came to last time, as far as that is known."""
        with closing(StatCache(self._cache)) as cache:
            return cache.summary

    def unchanged(self) -> bool:
        """Whether nothing has changed since then. No file is read for that."""
        with closing(StatCache(self._cache)) as cache:
            for folder in self._tree.folders():
                known = cache.next()
                if known is None or known.path != folder.path or known.rows != encode(folder.rows):
                    return False
            return cache.summary is not None and cache.next() is None

    def take(
        self,
        name: str,
        taking: Taking,
        blobs: Blobs | None,
        spool: Path,
        *,
        believed: Believed | None = None,
    ) -> tuple[str, int]:
        """Read what is not known, and store the manifest (where there are blobs for it); return
        its digest and size.

        `spool` is a directory for temporary files. Without `believed` everything that the cache
        says is. Raises MainspringError; nothing is changed then, but for blobs that nothing names.
        """
        self._taking = taking
        self._believed = believed
        self._manifest = ManifestWriter(name, spool, kind=self._tree.kind)
        self._writer = StatWriter(self._cache, self._started)
        self._closing.callback(self._manifest.close)
        self._closing.callback(self._writer.close)
        with closing(StatCache(self._cache)) as cache:
            for folder in self._tree.folders():
                self._consider(folder, cache.folder(folder.path))
                if self._waiting >= PART or self._held >= HELD:
                    self._settle()
            self._settle()
        return self._manifest.store(blobs)

    @property
    def files(self) -> int:
        """How many files there are."""
        return self._manifest.files

    @property
    def size(self) -> int:
        """Their bytes."""
        return self._manifest.size

    def remember(self, digest: str, ref: str) -> None:
        """Keep what was found, for the next reading, now that it is on record."""
        self._writer.save(Summary(digest, ref, self.files, self.size))

    def _consider(self, folder: Folder, known: Known | None) -> None:
        rows = folder.rows
        if known is not None and known.rows == encode(rows) and self._believed is None:
            part = _Part(folder, known, [], [])
        else:
            before = known.by_name() if known is not None else {}
            digests = [self._remembered(row, before.get(row[0])) for row in rows]
            part = _Part(folder, None, digests, [at for at, d in enumerate(digests) if not d])
        self._parts.append(part)
        self._waiting += len(part.fresh)
        self._held += len(rows)

    def _remembered(self, row: Row, before: tuple[Row, bytes] | None) -> bytes:
        if before is None or before[0] != row:
            return b""
        if self._believed is not None and not self._believed(before[1], row[1]):
            return b""
        return before[1]

    def _settle(self) -> None:
        """Read the files that wait, and write down the folders in order."""
        stored = iter(self._taking.store([p for part in self._parts for p in _paths(part)]))
        for part in self._parts:
            folder = part.folder
            if part.known is not None:
                self._writer.keep(part.known)
                data = part.known.digests
                digests = [data[at : at + WIDTH] for at in range(0, len(data), WIDTH)]
            else:
                digests = self._filled(part, stored)
            entries = [
                _entry(folder.path, row, digest)
                for row, digest in zip(folder.rows, digests, strict=True)
            ]
            self._manifest.add(folder.path, entries, empty=folder.empty)
        self._parts.clear()
        self._waiting = self._held = 0
        if self._progress is not None:
            self._progress(self.read, self.read_size)

    def _filled(self, part: _Part, stored: Iterator[Stored]) -> list[bytes]:
        rows, digests = part.folder.rows, part.digests
        written = [max(row[2], row[3]) for row in rows]
        for at in part.fresh:
            found = next(stored)
            before, after = found.before, found.after
            digests[at] = found.digest
            written[at] = max(before.st_mtime_ns, before.st_ctime_ns)
            linked = after.st_nlink != before.st_nlink
            rows[at] = _row(rows[at][0], after if linked else before)
            self.read += 1
            self.read_size += before.st_size
        self._writer.add(part.folder.path, rows, written, digests)
        return digests


def _paths(part: _Part) -> list[str]:
    folder = part.folder
    names = [folder.rows[at][0] for at in part.fresh]
    return [folder.links.get(name) or os.path.join(folder.place, name) for name in names]


def _row(name: str, status: os.stat_result) -> Row:
    return (
        name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode
    )  # fmt: skip


def _entry(folder: str, row: Row, digest: bytes) -> FileEntry:
    return FileEntry(
        name=folder + row[0],
        digest="blake3:" + digest.hex(),
        size=row[1],
        executable=bool(row[5] & EXECUTABLE),
    )
