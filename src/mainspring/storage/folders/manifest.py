"""Manifests of directories, written and read a part at a time: they may name a million files.

A manifest is the canonical JSON of a `Tree` (docs/reference/formats.md), with files in the order of
their paths.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile

import msgspec
from blake3 import blake3

from mainspring.records.errors import CorruptBlobError
from mainspring.records.ports import Blobs
from mainspring.storage import bulk

SPOOLED = 8 << 20  # bytes of a manifest that are held in memory while it is written
PART = 1 << 20  # bytes of a manifest that are read at a time
_START = b'{"empty":['
_FILES = b'],"files":['
_BETWEEN = b'},{"'


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file: its name (in a directory: its path, with `/`), content and mode."""

    name: str
    digest: str
    size: int
    executable: bool = False


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """A directory: its name, its files sorted by path, and its empty directories."""

    name: str
    files: tuple[FileEntry, ...]
    empty: tuple[str, ...]


_encode = msgspec.json.Encoder(order="sorted").encode
_decode_part = msgspec.json.Decoder(list[FileEntry]).decode
_decode_tree = msgspec.json.Decoder(Tree).decode


class ManifestWriter:
    """Takes folders in the order of a walk (each before those below it), and writes a manifest."""

    def __init__(self, name: str, spool: Path, *, kind: str = "directory") -> None:
        """`spool` is a directory for what does not fit into memory. With `kind` "file" it is the
        manifest of the one file that is added."""
        self._name = name
        self._kind = kind
        self._file = SpooledTemporaryFile(max_size=SPOOLED, dir=str(spool))  # noqa: SIM115
        self._empty: list[str] = []
        self._open: list[tuple[str, list[str], list[FileEntry]]] = []  # folders being written
        self.files = 0
        self.size = 0

    def add(self, folder: str, entries: list[FileEntry], *, empty: bool = False) -> None:
        """The folder's files (by whole path, in order); those below it come next."""
        if empty:
            if folder:
                self._empty.append(folder[:-1])
            return
        while self._open and not folder.startswith(self._open[-1][0]):
            self._write(self._open.pop()[2])
        if self._open:
            above, names, rest = self._open[-1]
            before = bisect_left(names, folder)
            self._write(rest[:before])
            self._open[-1] = (above, names[before:], rest[before:])
        self._open.append((folder, [entry.name for entry in entries], entries))

    def store(self, blobs: Blobs | None) -> tuple[str, int]:
        """Write the rest; return the manifest's digest and size in bytes. Without blobs to keep
        it in, that is all."""
        while self._open:
            self._write(self._open.pop()[2])
        if blobs is not None:
            with blobs.writer() as writer:
                for piece in self._pieces():
                    writer.write(piece)
                return writer.commit()
        total, size = blake3(), 0
        for piece in self._pieces():
            total.update(piece)
            size += len(piece)
        return "blake3:" + total.hexdigest(), size

    def close(self) -> None:
        """Let go of what was held."""
        self._file.close()

    def _write(self, entries: list[FileEntry]) -> None:
        if entries:
            self._file.write((b"," if self.files else b"") + _encode(entries)[1:-1])
            self.files += len(entries)
            self.size += sum(entry.size for entry in entries)

    def _pieces(self) -> Iterator[bytes]:
        if self._kind == "file":
            self._file.seek(0)
            yield self._file.read()
            return
        yield _START + _encode(sorted(self._empty))[1:-1] + _FILES
        self._file.seek(0)
        while piece := self._file.read(PART):
            yield piece
        yield b'],"name":' + _encode(self._name) + b"}"


def entries_of(path: Path, kind: str) -> Iterator[FileEntry]:
    """The files of a manifest of that format ("file" or "directory"), in order.

    Raises CorruptBlobError when it can't be read.
    """
    try:
        if kind == "file":
            yield msgspec.json.decode(path.read_bytes(), type=FileEntry)
            return
        with path.open("rb") as file:
            yield from _entries(file.fileno())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptBlobError(f"{path} is not a manifest: {error}") from error


def _entries(fd: int) -> Iterator[FileEntry]:
    head = bulk.read_at(fd, 0, PART)
    start = head.find(_FILES)
    if not head.startswith(_START) or start < 0:  # not canonical, or many empty directories
        size = os.fstat(fd).st_size
        yield from _decode_tree(bulk.read_at(fd, 0, size)).files
        return
    at = start + len(_FILES)
    while True:
        part = bulk.read_at(fd, at, PART)
        # No string of JSON has these bytes: its quotation marks follow a backslash.
        cut = part.rfind(_BETWEEN)
        if cut < 0 or len(part) < PART:
            break
        yield from _decode_part(b"[" + part[: cut + 1] + b"]")
        at += cut + 2
    rest = bulk.read_at(fd, at, os.fstat(fd).st_size - at)
    end = rest.rfind(b'],"name":')
    yield from _decode_part(b"[" + rest[:end] + b"]")


def empty_folders(path: Path) -> tuple[str, ...]:
    """The empty directories of a directory's manifest. Raises CorruptBlobError."""
    with path.open("rb") as file:
        head = file.read(PART)
        end = head.find(_FILES)
        with suppress(msgspec.DecodeError):
            if head.startswith(_START) and end >= 0:
                found = b"[" + head[len(_START) : end] + b"]"
                return tuple(msgspec.json.decode(found, type=list[str]))
        try:
            return _decode_tree(head + file.read()).empty
        except msgspec.DecodeError as error:
            raise CorruptBlobError(f"{path} is not a manifest: {error}") from error
