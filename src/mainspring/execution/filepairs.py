"""In what two files, directories or texts differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_LARGEST_TEXT = 8 << 20
_PIECE = 1 << 20
_SHOWN = 80


class FileChange(NamedTuple):
    """`place` is the file, relative to the directory ("" for a single file)."""

    place: str
    what: str


def changes(recorded: Path, made: Path) -> Iterator[FileChange]:
    """Yield every difference of two files, or of two directories. Raises OSError."""
    if recorded.is_dir() != made.is_dir():
        yield FileChange(
            "", "a directory became a file" if recorded.is_dir() else "now a directory"
        )
    elif not recorded.is_dir():
        yield from _file("", recorded, made)
    else:
        yield from _directory(recorded, made)


def _directory(recorded: Path, made: Path) -> Iterator[FileChange]:
    names = [
        {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
        for root in (recorded, made)
    ]
    for name in sorted({*names[0], *names[1]}):
        if name not in names[1]:
            yield FileChange(name, "is gone")
        elif name not in names[0]:
            yield FileChange(name, "is new")
        else:
            yield from _file(name, names[0][name], names[1][name])


def _file(name: str, recorded: Path, made: Path) -> Iterator[FileChange]:
    sizes = recorded.stat().st_size, made.stat().st_size
    offset = _first_difference(recorded, made)
    if offset is None:
        return
    if max(sizes) <= _LARGEST_TEXT:
        both = recorded.read_bytes(), made.read_bytes()
        if not any(b"\0" in data for data in both):
            lines = [data.decode("utf-8", "replace").splitlines() for data in both]
            yield FileChange(name, lines_change(lines[0], lines[1]))
            return
    grown = f", {sizes[0]:,} bytes became {sizes[1]:,}" if sizes[0] != sizes[1] else ""
    yield FileChange(name, f"other bytes from offset {offset:,} on{grown}")


def _first_difference(recorded: Path, made: Path) -> int | None:
    with recorded.open("rb") as one, made.open("rb") as other:
        offset = 0
        while True:
            pieces = one.read(_PIECE), other.read(_PIECE)
            if pieces[0] != pieces[1]:
                return offset + _agreeing(*pieces)
            if not pieces[0]:
                return None
            offset += len(pieces[0])


def _agreeing(one: bytes, other: bytes) -> int:
    """How many bytes are the same from the beginning on."""
    for index, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return index
    return min(len(one), len(other))


def bytes_change(recorded: bytes, made: bytes) -> str:
    """Say in what two byte strings differ."""
    text = f"other bytes from offset {_agreeing(recorded, made):,} on"
    return text + (
        f", {len(recorded):,} bytes became {len(made):,}" if len(recorded) != len(made) else ""
    )


def lines_change(recorded: Sequence[str], made: Sequence[str]) -> str:
    """Say which line is the first that two texts don't share."""
    for number, (one, other) in enumerate(zip(recorded, made, strict=False), 1):
        if one != other:
            return f"line {number}: {_cut(one)!r} became {_cut(other)!r}"
    if len(recorded) == len(made):
        return "other line ends"
    return f"{len(recorded):,} lines became {len(made):,}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
