"""Does a file hold a pickle? Told by its content, whatever its name: a pickle runs code when read.

Looked into are pickles as they are, archives (zip, tar, and .npz in them), numpy's arrays of
objects, and what is compressed (gzip, zlib, bz2, xz), each within bounds.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickletools
import re
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

HEAD = 1 << 16
"""Bytes of a file's beginning that are looked at."""

LONGEST = 256 << 20
"""Bytes of a pickle of protocol 0 or 1, at most, that are looked at to find its end."""

MEMBERS = 100_000
DEPTH = 4
_UNPACKED = 64 << 30
_NAMES = {"GLOBAL", "INST", "STACK_GLOBAL", "REDUCE", "BUILD", "OBJ", "NEWOBJ", "NEWOBJ_EX"}
_OBJECTS = re.compile(rb"'descr':[^,]*?'\|O[0-9]*'|'descr': *\[.*'\|?O[0-9]*'", re.DOTALL)
_COMPRESSED: tuple[tuple[bytes, str, Callable[[Any], IO[bytes]]], ...] = (
    (b"\x1f\x8b", "gzip", lambda file: gzip.GzipFile(fileobj=file)),  # pyright: ignore[reportAssignmentType]
    (b"BZh", "bz2", bz2.BZ2File),
    (b"\xfd7zXZ\0", "xz", lzma.LZMAFile),
    (b"]\0\0", "lzma", lzma.LZMAFile),
)
_CLOSED = ((b"\x04\x22\x4d\x18", "LZ4"), (b"\x28\xb5\x2f\xfd", "Zstandard"))


def offence(path: Path) -> str | None:
    """Return what is wrong with a file: "it is a pickle", "its member a/data.pkl is a pickle",
    "it is compressed with LZ4, so it can't be looked into". None if nothing was found."""
    with path.open("rb") as file:
        return _offence(file, 0)


def _offence(file: IO[bytes], depth: int) -> str | None:
    head = file.read(HEAD)
    found = _plain(head, file)
    if found is not None or not head:
        return found
    for magic, name in _CLOSED:
        if head.startswith(magic):
            return f"it is compressed with {name}, so it can't be looked into"
    try:
        if head.startswith(b"PK\x03\x04"):
            return _in_zip(file, head, depth)
        for magic, _, opened in _COMPRESSED:
            if head.startswith(magic):
                return _in_compressed(opened(_again(file, head)), depth)
        if len(head) > 2 and head[0] == 0x78 and (head[0] << 8 | head[1]) % 31 == 0:
            return _in_zlib(head)
        if head[257:262] == b"ustar":
            return _in_tar(_again(file, head), depth)
    except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error,
            RuntimeError, NotImplementedError, ValueError) as error:  # fmt: skip
        return f"it is an archive that can't be looked into ({error})"
    return None


def _again(file: IO[bytes], head: bytes) -> IO[bytes]:
    """The file from its beginning; a stream that can't go back gets its head put before it."""
    if file.seekable():
        file.seek(0)
        return file
    return io.BufferedReader(_Joined(head, file))


class _Joined(io.RawIOBase):
    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = head
        self._rest = rest
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(data) :] if self._head else b""
        self._count += len(data)
        if self._count > _UNPACKED:
            raise ValueError(f"it holds more than {_UNPACKED >> 30} GiB")
        buffer[: len(data)] = data
        return len(data)


def _plain(head: bytes, file: IO[bytes]) -> str | None:
    if head.startswith(b"\x93NUMPY"):
        return "it is an array of objects, which is a pickle" if _OBJECTS.search(head) else None
    if head[:1] == b"\x80" and is_pickle(head):
        return "it is a pickle"
    found = _is_old(io.BytesIO(head))
    if found is None and len(head) == HEAD and file.seekable():
        # An argument goes on beyond the head: only all of it tells.
        found = _is_old(_Bounded(file))
        file.seek(HEAD)
    return "it is a pickle" if found else None


def is_pickle(head: bytes) -> bool:
    """Whether bytes begin like a pickle: by the header of protocol 2 and later, or (of the older
    ones, which are text) by instructions that end in a value and name something to be called."""
    if len(head) <= 2 or head[0] != 0x80 or not 2 <= head[1] <= 5:
        return bool(_is_old(io.BytesIO(head)))
    count = 0
    try:
        for code, _, _ in pickletools.genops(io.BytesIO(head)):
            count += 1
            if count > 2 or code.name == "STOP":
                return True
    except Exception as error:
        return len(head) == HEAD and _is_cut(error)
    return False


def _is_old(file: IO[bytes] | _Bounded) -> bool | None:
    """Whether it is a pickle of protocol 0 or 1; None where that can't be told, as an argument is
    longer than what is there."""
    seen: set[str] = set()
    try:
        for code, _, _ in pickletools.genops(file):  # pyright: ignore[reportArgumentType]
            seen.add(code.name)
            if code.name == "STOP":
                return bool(seen & _NAMES)
    except Exception as error:
        return None if _is_cut(error) else False
    return False


def _is_cut(error: Exception) -> bool:
    told = str(error)
    return "remain" in told or "no newline found" in told or "exhausted" in told


class _Bounded:
    """A file from its beginning, of which no more than LONGEST bytes are read."""

    def __init__(self, file: IO[bytes]) -> None:
        file.seek(0)
        self._file = file
        self._left = LONGEST

    def read(self, size: int) -> bytes:
        """Bytes, fewer at the end."""
        return self._count(self._file.read(max(0, min(size, self._left))))

    def readline(self) -> bytes:
        """A line, cut off at the end."""
        return self._count(self._file.readline(self._left))

    def tell(self) -> int:
        """How much was read."""
        return LONGEST - self._left

    def _count(self, data: bytes) -> bytes:
        self._left -= len(data)
        return data


def _in_zip(file: IO[bytes], head: bytes, depth: int) -> str | None:
    if depth >= DEPTH:
        return "archives are nested too deeply in it"
    if not file.seekable():
        rest = file.read(HEAD << 12)
        file = io.BytesIO(head + rest)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > MEMBERS:
            return f"it is an archive of {len(members):,} members"
        for member in members:
            if not member.is_dir():
                with archive.open(member) as inner:
                    found = _offence(inner, depth + 1)
                if found is not None:
                    return _inside(member.filename, found)
    return None


def _in_tar(file: IO[bytes], depth: int) -> str | None:
    if depth >= DEPTH:
        return "archives are nested too deeply in it"
    with tarfile.open(fileobj=file, mode="r|") as archive:
        for number, member in enumerate(archive, 1):
            if number > MEMBERS:
                return f"it is an archive of more than {MEMBERS:,} members"
            inner = archive.extractfile(member) if member.isfile() else None
            if inner is not None:
                with tempfile.SpooledTemporaryFile(HEAD << 8) as whole:  # a stream has no way back
                    shutil.copyfileobj(inner, whole)
                    whole.seek(0)
                    found = _offence(cast("IO[bytes]", whole), depth + 1)
                if found is not None:
                    return _inside(member.name, found)
    return None


def _in_compressed(inner: IO[bytes], depth: int) -> str | None:
    if depth >= DEPTH:
        return "archives are nested too deeply in it"
    with inner:
        head = inner.read(HEAD)
        found = _plain(head, inner)
        if found is None and head[257:262] == b"ustar":
            found = _in_tar(io.BufferedReader(_Joined(head, inner)), depth + 1)
        return found if found is None or found.startswith("its ") else f"unpacked, {found}"


def _in_zlib(head: bytes) -> str | None:
    plain = zlib.decompressobj().decompress(head, HEAD)
    found = _plain(plain, io.BytesIO(plain))
    return None if found is None else f"unpacked, {found}"


def _inside(name: str, found: str) -> str:
    shown = name if len(name) <= 80 else name[:77] + "..."
    return f"its member {shown!a}: {found}"
