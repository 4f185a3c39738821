"""Zip files from strangers, read without trust; and zip files whose bytes depend on nothing else.

What a zip says of itself (sizes, ratios, names) is checked before it is used, and what comes out
of it is counted while it comes out: a header may lie. docs/reference/capsule.md lists the offences.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from mainspring.records.errors import CapsuleError

MOST_ENTRIES = 1_000_000
LARGEST_DIRECTORY = 256 << 20  # bytes of the list of entries
LONGEST_NAME = 1024  # bytes
RATIO = 200  # of compressed data: what comes out to what goes in
FREE = 1 << 20  # bytes that may come out of an entry whatever the ratio
PIECE = 1 << 20

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_LOCAL = struct.Struct("<4s5H3L2H")
_MOMENT = (1980, 1, 1, 0, 0, 0)
_DRIVE = re.compile(r"[A-Za-z]:")
_ENCRYPTED, _UTF8, _STRONG, _MASKED = 0x1, 0x800, 0x40, 0x2000


class Archive:
    """A zip file of plain files with sound names; a context manager. Raises CapsuleError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise CapsuleError(f"can't be read: {error.strerror}", where=str(path)) from None
        try:
            self._zip = self._opened()
            self._entries = self._checked()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
        self._file.close()

    @property
    def names(self) -> frozenset[str]:
        """The names of all files in it."""
        return frozenset(self._entries)

    def size(self, name: str) -> int:
        """How long the entry says that the file is."""
        return self._entries[name].file_size

    def read(self, name: str, most: int) -> bytes:
        """The whole of a file that may be at most so long."""
        if name not in self._entries:
            raise self.refusal("missing file", name)
        if self.size(name) > most:
            raise self.refusal("oversized file", f"{name} is larger than {most:,} bytes")
        made = bytearray()
        for piece in self.pieces(name, most):
            made += piece
        return bytes(made)

    def pieces(self, name: str, size: int) -> Iterator[bytes]:
        """What a file holds, in pieces; refused as soon as more than `size` bytes came out."""
        info = self._entries[name]
        allowed = min(size, max(FREE, RATIO * info.compress_size))
        count = 0
        try:
            with self._zip.open(info) as stream:
                while piece := stream.read(PIECE):
                    count += len(piece)
                    if count > allowed:
                        what = "zip bomb" if count <= size else "wrong size"
                        raise self.refusal(what, f"{name} goes on beyond {allowed:,} bytes")
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
            raise self.refusal("damaged entry", f"{name}: {error}") from None

    def refusal(self, offence: str, detail: str = "") -> CapsuleError:
        """The error for an offence of this file."""
        return refusal(self.path, offence, detail)

    # The structure, before anything is read.

    def _opened(self) -> zipfile.ZipFile:
        self._check_end()
        try:
            return zipfile.ZipFile(self._file)
        except UnicodeDecodeError:
            raise self.refusal("name that is not UTF-8") from None
        except (zipfile.BadZipFile, ValueError, OSError, struct.error, OverflowError) as error:
            raise self.refusal("damaged zip", str(error)) from None
        except NotImplementedError as error:
            raise self.refusal("unknown kind of zip", str(error)) from None

    def _check_end(self) -> None:
        """Look at the end of the file, so that no list of entries is read that is too long."""
        status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise self.refusal("not a file")
        tail_at = max(0, status.st_size - _END.size - 0xFFFF)
        self._file.seek(tail_at)
        tail = self._file.read()
        at = tail.rfind(b"PK\5\6")
        if at < 0 or at + _END.size > len(tail):
            raise self.refusal("truncated or no zip", "it has no end of its list of entries")
        _, disk, first, _, count, size, offset, comment = _END.unpack_from(tail, at)
        if at + _END.size + comment != len(tail):
            raise self.refusal("truncated zip", "something is missing or follows after its end")
        if disk or first:
            raise self.refusal("zip in several parts")
        # Whoever reads zip files believes a record of zip64 wherever there is a locator of it.
        place = tail_at + at - _LOCATOR.size
        self._file.seek(max(0, place))
        if place >= 0 and self._file.read(4) == b"PK\6\7":
            count, size = self._end64(place)
        elif count == 0xFFFF or 0xFFFFFFFF in (size, offset):
            raise self.refusal("damaged zip", "its end can't be read")
        if count > MOST_ENTRIES or size > LARGEST_DIRECTORY:
            raise self.refusal("oversized list of entries", f"{count:,} entries, {size:,} bytes")

    def _end64(self, locator: int) -> tuple[int, int]:
        """What the record before a locator says, which is where Python's zipfile reads it."""
        try:
            self._file.seek(locator - _END64.size)
            found = _END64.unpack(self._file.read(_END64.size))
        except (struct.error, OSError, ValueError):
            raise self.refusal("damaged zip", "its end can't be read") from None
        if found[0] != b"PK\6\6":
            raise self.refusal("damaged zip", "its end can't be read")
        return found[7], found[8]

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        found: dict[str, zipfile.ZipInfo] = {}
        folded: dict[str, str] = {}
        for info in infos:
            offence = _offence(info)
            if offence:
                raise self.refusal(offence, ascii(info.orig_filename)[1:-1][:200])
            name = info.filename
            if name in found:
                raise self.refusal("name used twice", name)
            twin = folded.setdefault(_folded(name), name)
            if twin != name:
                raise self.refusal("names that differ only in case", f"{twin}, {name}")
            found[name] = info
        self._check_places(infos)
        return self._files(found)

    def _files(self, found: dict[str, zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        """Without directories, none of which may be a file as well."""
        for name in found:
            parent = name.rstrip("/").rpartition("/")[0]
            while parent:
                if parent in found:
                    raise self.refusal("file that is a directory too", parent)
                parent = parent.rpartition("/")[0]
        return {name: info for name, info in found.items() if not name.endswith("/")}

    def _check_places(self, infos: list[zipfile.ZipInfo]) -> None:
        """No two entries may share bytes, and nothing may stand before the first one."""
        last, before = 0, ""
        for info in sorted(infos, key=lambda info: info.header_offset):
            if not last and info.header_offset:
                raise self.refusal("something before the zip", f"{info.header_offset:,} bytes")
            if info.header_offset < last:
                raise self.refusal("overlapping entries", f"{before}, {info.filename}")
            last, before = self._end_of(info), info.filename
        if last > self._zip.start_dir:
            raise self.refusal("overlapping entries", f"{before} runs into the list of entries")

    def _end_of(self, info: zipfile.ZipInfo) -> int:
        self._file.seek(info.header_offset)
        head = self._file.read(_LOCAL.size)
        if len(head) < _LOCAL.size or not head.startswith(b"PK\3\4"):
            raise self.refusal("damaged entry", info.filename)
        name, extra = _LOCAL.unpack(head)[-2:]
        return info.header_offset + _LOCAL.size + name + extra + info.compress_size


def refusal(path: Path, offence: str, detail: str = "") -> CapsuleError:
    """The error for an offence of a capsule."""
    text = f"refused: {offence}" + (f": {detail}" if detail else "")
    return CapsuleError(text, where=str(path), offence=offence)


def _offence(info: zipfile.ZipInfo) -> str | None:
    """What is wrong with an entry, by what its header says."""
    if info.flag_bits & (_ENCRYPTED | _STRONG | _MASKED):
        return "encrypted entry"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "unknown compression"
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        return "wrong size"
    mode = info.external_attr >> 16
    is_directory = info.filename.endswith("/")
    if stat.S_ISLNK(mode):
        return "symbolic link"
    expected = stat.S_IFDIR if is_directory else stat.S_IFREG
    if stat.S_IFMT(mode) not in (0, expected):
        return "special file"
    if is_directory and info.file_size:
        return "directory with a content"
    if info.file_size > max(FREE, RATIO * info.compress_size):
        return "zip bomb"
    return name_offence(info.orig_filename, utf8=bool(info.flag_bits & _UTF8))


def name_offence(name: str, *, utf8: bool = True) -> str | None:
    """What is wrong with the name of a file in an archive; None if nothing is."""
    if not utf8 and not name.isascii():
        return "name that is not UTF-8"
    if "\\" in name:
        return "backslash in a name"
    if name.startswith("/"):
        return "absolute path"
    if _DRIVE.match(name):
        return "drive letter"
    parts = name.removesuffix("/").split("/")
    if ".." in parts:
        return "path traversal"
    if "" in parts or "." in parts or any(ord(sign) < 32 or ord(sign) == 127 for sign in name):
        return "unsound name"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "name that is not UTF-8"
    return "name that is too long" if size > LONGEST_NAME else None


def _folded(name: str) -> str:
    """What a file system that does not tell case (or forms of accents) apart makes of a name."""
    return unicodedata.normalize("NFC", name.rstrip("/")).casefold()


class ArchiveWriter:
    """A zip whose bytes depend only on names and contents, in the order in which they are added.

    Nothing is compressed: what deflate makes differs from one of its implementations to the next.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=True)

    def add(self, name: str, size: int, pieces: Iterator[Any], watch: Callable[[Any], None]) -> int:
        """Add a file; each piece is given to `watch` too. Returns how many bytes came."""
        info = zipfile.ZipInfo(name, _MOMENT)
        info.create_system = 3
        info.external_attr = (stat.S_IFREG | 0o644) << 16
        info.file_size = size
        count = 0
        with self._zip.open(info, "w", force_zip64=size >= (1 << 31) - 1) as entry:
            for piece in pieces:
                watch(piece)
                entry.write(piece)
                count += len(piece)
        return count

    def close(self) -> None:
        """Write the list of entries."""
        self._zip.close()
