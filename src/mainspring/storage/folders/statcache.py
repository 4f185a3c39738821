"""What is remembered of a directory that was read: the state of each file, and its digest.

The file is a sequence of parts, each with a checksum: one for each folder, in the order of a walk,
and a last one that says what all of it came to. A part that is damaged ends the sequence: what
follows is read again. So it may vanish or be damaged, and never misleads.
"""

from __future__ import annotations

import os
import struct
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
from blake3 import blake3

from mainspring.storage.folders.walk import Row, encode

SETTLED = 2_000_000_000  # ns after which a file's times tell whether it was written again
WIDTH = 32  # bytes of a digest
_MAGIC = b"mainspring stat 1\n"
_FRAME = struct.Struct("<IIII16s")  # bytes of path, rows and digests, number of rows; checksum
_END = struct.Struct("<Q")
_BUFFER = 1 << 20

_decode_rows = msgspec.msgpack.Decoder(list[Row]).decode


class Summary(msgspec.Struct, frozen=True, array_like=True):
    """What a walk came to: digests of the content and of what a step is given, and the counts."""

    digest: str
    ref: str
    files: int
    size: int


class Known(NamedTuple):
    """What is remembered of a folder: its rows as `encode` wrote them, and their digests."""

    path: str
    rows: bytes
    digests: bytes

    def by_name(self) -> dict[str, tuple[Row, bytes]]:
        """Each file's row and digest."""
        rows = _decode_rows(self.rows)
        return {
            row[0]: (row, self.digests[at * WIDTH : (at + 1) * WIDTH])
            for at, row in enumerate(rows)
        }


class StatCache:
    """Read in the order in which it was written."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO | None = None
        self.summary: Summary | None = None
        self._next: Known | None = None
        with suppress(OSError):
            self._file = path.open("rb", buffering=_BUFFER)
            self._size = os.fstat(self._file.fileno()).st_size
            if self._file.read(len(_MAGIC)) != _MAGIC:
                self.close()
                return
            self._read_summary(self._file)
            self._file.seek(len(_MAGIC))
            self._next = self._read()

    def next(self) -> Known | None:
        """The next folder; None at the end."""
        found, self._next = self._next, self._read()
        return found

    def folder(self, path: str) -> Known | None:
        """What is known of a folder; they have to be asked for in the order of their paths."""
        while self._next is not None and self._next.path < path:
            self._next = self._read()
        if self._next is None or self._next.path != path:
            return None
        return self.next()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._next = None

    def _read_summary(self, file: BinaryIO) -> None:
        file.seek(max(0, self._size - _END.size))
        (at,) = _END.unpack(file.read(_END.size))
        if at > self._size:
            return
        file.seek(at)
        frame = self._frame(file)
        if frame is not None and frame[0] == b"\0":
            with suppress(msgspec.DecodeError):
                self.summary = msgspec.msgpack.decode(frame[1], type=Summary)

    def _read(self) -> Known | None:
        frame = None if self._file is None else self._frame(self._file)
        if frame is None or frame[0] == b"\0":
            return None
        return Known(frame[0].decode(), frame[1], frame[2])

    def _frame(self, file: BinaryIO) -> tuple[bytes, bytes, bytes] | None:
        head = file.read(_FRAME.size)
        if len(head) < _FRAME.size:
            return None
        one, two, three, count, checksum = _FRAME.unpack(head)
        if one + two + three > self._size:
            return None
        body = file.read(one + two + three)
        if len(body) != one + two + three or _checksum(body, count) != checksum:
            return None
        return body[:one], body[one : one + two], body[one + two :]


class StatWriter:
    """Writes a cache anew; nothing takes the place of the old one before `save`."""

    def __init__(self, path: Path, started: int) -> None:
        """`started` is when the walk began (ns): what was written shortly before is not trusted,
        since it may be written again without another time."""
        self._path = path
        self._young = started - SETTLED
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, self._temporary = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)
        self._file = open(fd, "wb", buffering=_BUFFER)  # noqa: SIM115
        self._file.write(_MAGIC)

    def keep(self, known: Known) -> None:
        """A folder is as it was."""
        self._write(known.path.encode(), known.rows, known.digests)

    def add(self, path: str, rows: list[Row], written: list[int], digests: list[bytes]) -> None:
        """A folder as it is now; `written` says when each file was last written (ns)."""
        kept = [
            row if when < self._young else (row[0], -1, *row[2:])
            for row, when in zip(rows, written, strict=True)
        ]
        self._write(path.encode(), encode(kept), b"".join(digests))

    def save(self, summary: Summary) -> None:
        """Let it take the place of the old one. A disk that refuses only costs time later."""
        at = self._file.tell()
        self._write(b"\0", msgspec.msgpack.encode(summary), b"")
        self._file.write(_END.pack(at))
        with suppress(OSError):
            self._file.close()
            os.replace(self._temporary, self._path)
            self._temporary = ""

    def close(self) -> None:
        """Drop what was not saved."""
        with suppress(OSError):
            self._file.close()
        if self._temporary:
            with suppress(OSError):
                os.unlink(self._temporary)

    def _write(self, path: bytes, rows: bytes, digests: bytes) -> None:
        count = len(digests) // WIDTH
        body = path + rows + digests
        head = _FRAME.pack(len(path), len(rows), len(digests), count, _checksum(body, count))
        self._file.write(head + body)


def _checksum(body: bytes, count: int) -> bytes:
    return blake3(body, key=count.to_bytes(32, "little")).digest(16)
