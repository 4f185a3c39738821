"""Small caches on disk that may vanish, be cut short or be damaged, and never mislead."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

_SUM = 16  # bytes of checksum
_FRAME = struct.Struct(f"<I{_SUM}s")  # bytes of the body and its checksum
_CUT = struct.Struct("<H")  # first in the body: bytes of the key; then the key and the data


def load_checked(path: Path) -> bytes | None:
    """The content that `save_checked` wrote; None when there is none, or it is damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    content = data[_SUM:]
    return content if blake3(content).digest(_SUM) == data[:_SUM] else None


def save_checked(path: Path, content: bytes) -> None:
    """Replace the file; a disk that refuses only costs time later."""
    with suppress(OSError):
        replace_file(path, blake3(content).digest(_SUM) + content)


def replace_file(path: Path, data: bytes) -> None:
    """Give the file that content at once: whoever reads it sees the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, temporary = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)
    try:
        with open(fd, "wb", closefd=True) as stream:
            stream.write(data)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def frame(key: str, data: bytes) -> bytes:
    """One entry of a log of entries, with its checksum."""
    name = key.encode()
    body = _CUT.pack(len(name)) + name + data
    return _FRAME.pack(len(body), blake3(body).digest(_SUM)) + body


def frames(data: bytes) -> Iterator[tuple[str, bytes, int]]:
    """The entries of a log up to the first damaged one: key, data, and where the entry ends."""
    at = 0
    while at + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, at)
        at += _FRAME.size
        body = data[at : at + length]
        if len(body) < length or blake3(body).digest(_SUM) != checksum:
            return
        at += length
        cut = _CUT.size + _CUT.unpack_from(body)[0]
        yield body[_CUT.size : cut].decode(), body[cut:], at
