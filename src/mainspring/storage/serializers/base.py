"""What a serializer is: one format, written to a sink and read from a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from blake3 import blake3

from mainspring.records.canonical import digest_bytes
from mainspring.records.errors import BlobError, CorruptBlobError, SerializationError
from mainspring.records.ports import Blobs, Buffer
from mainspring.storage import bulk

IN_MEMORY = 1 << 20  # bytes: a source up to this size is read at once
ROOT = "result"  # how errors call the value that is being stored


class Unsupported(Exception):
    """A value has no form in a format; another format may have one. Never seen by a user."""

    def __init__(self, reason: str, *, where: str = "", hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.where = where
        self.hint = hint

    def explain(self, value: object, name: str) -> SerializationError:
        """The error for a user when no other format will do."""
        return SerializationError(
            f"a {type_text(value)} can't be stored as {name}: {self.reason}",
            where=ROOT + self.where,
            hint=self.hint,
        )


class Output(Protocol):
    """Where bytes go: a blob's writer, or the part of a packed blob that is one element."""

    def write(self, data: Buffer) -> int: ...


class Codecs(Protocol):
    """The registry as the containers see it: how to store and read what they contain."""

    def dump_into(self, value: object, hint: object, sink: Sink) -> tuple[str, str]:
        """Write a value in the format that fits; return the names of that format and its type."""
        ...

    def named(self, name: str) -> Serializer: ...


class Sink:
    """Takes the bytes of one value; `blobs` takes what is stored beside it."""

    def __init__(self, out: Output, blobs: Blobs, codecs: Codecs, *, allow_pickle: bool) -> None:
        self._out = out
        self.blobs = blobs
        self.codecs = codecs
        self.allow_pickle = allow_pickle
        self.data_only = True
        self.size = 0
        self.count: int | None = None  # of elements, when the value is a list

    def write(self, data: Buffer) -> int:
        """Append bytes (any contiguous buffer)."""
        count = self._out.write(data)
        self.size += count
        return count


@dataclass(frozen=True)
class Reading:
    """What reading needs besides the bytes; the same for a value and all that it contains."""

    blobs: Blobs
    codecs: Codecs
    workdir: Path | None = None  # where files are written
    allow_pickle: bool = True

    def open(self, digest: str, size: int) -> Source:
        """A whole blob as a source: read at once when small, else left where it is."""
        if size <= IN_MEMORY:
            return Source(self, data=self.blobs.read(digest))
        path = self.blobs.path(digest)
        if path.stat().st_size != size:
            raise CorruptBlobError(f"blob {digest} is not {size} bytes long")
        return Source(self, path=path, size=size)


class Source:
    """The bytes of one stored value: in memory, or a range of a checked local file."""

    def __init__(
        self,
        reading: Reading,
        *,
        data: bytes | None = None,
        path: Path | None = None,
        start: int = 0,
        size: int = 0,
    ) -> None:
        self.reading = reading
        self.data = data
        self.path = path
        self.start = start
        self.size = len(data) if data is not None else size

    def read(self, at: int = 0, length: int | None = None) -> bytes:
        """Bytes `at` to `at + length` (default: to the end).

        Raises SerializationError when they lie outside of the value.
        """
        count = self.size - at if length is None else length
        if at < 0 or count < 0 or at + count > self.size:
            raise damaged("it refers to bytes outside of itself")
        if self.data is not None:
            return self.data if count == self.size else self.data[at : at + count]
        if self.path is None:
            raise damaged("it has no content")
        with self.path.open("rb", buffering=0) as file:
            found = bulk.read_at(file.fileno(), self.start + at, count)
        if len(found) != count:
            raise BlobError(f"{self.path} ended early: {len(found)} bytes where {count} were due")
        return found

    def part(self, at: int, size: int, digest: str) -> Source:
        """A value packed inside this one; checked against its digest when it is small."""
        if at < 0 or size < 0 or at + size > self.size:
            raise damaged("it refers to bytes outside of itself")
        if self.data is None and size > IN_MEMORY:
            return Source(self.reading, path=self.path, start=self.start + at, size=size)
        data = self.read(at, size)
        if digest_bytes(data) != digest:
            raise CorruptBlobError(f"a packed value does not have its digest {digest}")
        return Source(self.reading, data=data)


class Serializer(Protocol):
    """One format. `data_only`: reading it can't run code that the data chooses. `refers`: its
    bytes may name other blobs."""

    name: str
    data_only: bool
    refers: bool

    def dump(self, value: object, hint: object, sink: Sink) -> None:
        """Write the value; raises Unsupported before the first byte if it has no such form."""
        ...

    def load(self, source: Source) -> object: ...

    def preview(self, source: Source, limit: int) -> str:
        """A short text for people, at most about `limit` characters."""
        ...

    def references(self, source: Source) -> Iterator[str]:
        """Digests of the other blobs that these bytes name."""
        ...


class Hashed:
    """An output that also computes the digest of what passes through it."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._head = bytearray()  # threads don't pay for a small value: wait and see
        self._hash: blake3 | None = None

    def write(self, data: Buffer) -> int:
        """Hash and pass on."""
        view = memoryview(data)
        if self._hash is None and len(self._head) + view.nbytes <= bulk.PARALLEL:
            self._head += data
        else:
            if self._hash is None:
                self._hash = bulk.hasher().update(self._head)
                self._head = bytearray()
            self._hash.update(data)
        return self._out.write(data)

    def digest(self) -> str:
        """The digest of all bytes so far."""
        if self._hash is None:
            return digest_bytes(self._head)
        return "blake3:" + self._hash.hexdigest()


def damaged(what: str) -> SerializationError:
    """The error for stored bytes that are not what their format says."""
    return SerializationError(
        f"stored value can't be read: {what}",
        hint="it was damaged or not written by Mainspring; run the pipeline again",
    )


def type_text(value: object) -> str:
    """The name of a value's type, with its module unless that is builtins."""
    return class_text(type(value))


def class_text(cls: type) -> str:
    """The name of a type, with its module unless that is builtins."""
    module = cls.__module__
    return cls.__qualname__ if module == "builtins" else f"{module}.{cls.__qualname__}"


def shorten(text: str, limit: int) -> str:
    """The text, cut with an ellipsis if it is longer than `limit`."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"
