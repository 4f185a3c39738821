"""What steps log while they run, moved from each attempt's files into the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import msgspec

from mainspring.execution.attempt_files import open_plain
from mainspring.execution.telemetry import LONGEST_NAME
from mainspring.records.metrics import Medium, Point
from mainspring.records.stores import Transaction

BATCH = 4 << 20
"""At most this many bytes of one attempt are read at once."""

MOST = 1 << 30
"""Bytes of one file that are read at most: what is logged after that is passed over."""

_METRICS = 1 << 34
"""Where in an offset the part of the media begins: both places are kept in one number, so that
one column holds them, and what was read and how far is committed together."""

_Word: TypeAlias = Annotated[str, msgspec.Meta(max_length=LONGEST_NAME, pattern=r"^[^\0]*\Z")]
_Digest: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^blake3:[0-9a-f]{64}\Z")]
_Size: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_PointRow: TypeAlias = tuple[_Word, float | str, float | None, float]
_MediaRow: TypeAlias = tuple[_Word, _Word, _Digest, _Size, _Word, float | None, float]
_points = msgspec.json.Decoder(_PointRow)
_media = msgspec.json.Decoder(_MediaRow)

T = TypeVar("T")


class Journal:
    """Reads `attempts/<id>/metrics.jsonl` and `media.jsonl` from where they were left.

    The files are a step's to write: a line that can't be read is passed over.
    """

    def __init__(self, attempts: Path) -> None:
        self._attempts = attempts

    def has_more(self, attempt: str, offset: int) -> bool:
        """Whether the attempt's files have grown since `offset`."""
        directory = self._attempts / attempt
        seen, read = divmod(offset, _METRICS)
        return _size(directory / "metrics.jsonl") > read or _size(directory / "media.jsonl") > seen

    def ingest(
        self, tx: Transaction, run: str, task: int, path: str, attempt: str, offset: int
    ) -> int:
        """Add what was logged since `offset` (0, or what this returned); return the new one."""
        directory = self._attempts / attempt
        seen, read = divmod(offset, _METRICS)
        for data in _whole_lines(directory / "metrics.jsonl", read):
            offset += len(data)
            points = [point for row in _rows(data, _points) for point in _point(row)]
            tx.add_points(run, task, attempt, points, offset)
        for data in _whole_lines(directory / "media.jsonl", seen):
            offset += len(data) * _METRICS
            tx.add_media(run, task, [_medium(row, path, attempt) for row in _rows(data, _media)])
            tx.add_points(run, task, attempt, [], offset)
        return offset


def _size(path: Path) -> int:
    try:
        return min(path.stat().st_size, MOST)
    except OSError:
        return 0


def _whole_lines(path: Path, offset: int) -> Iterator[bytes]:
    """Lines from `offset` on, in batches; a half-written last one is left for the next time."""
    try:
        file = open_plain(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    with file:
        while offset < MOST:
            file.seek(offset)
            data = file.read(BATCH)
            end = data.rfind(b"\n") + 1
            if not end and len(data) == BATCH:
                end = BATCH  # no line is that long: it is passed over, a batch at a time
            if not end:
                return
            offset += end
            yield data[:end]


def _rows(data: bytes, decoder: msgspec.json.Decoder[T]) -> list[T]:
    try:
        return decoder.decode_lines(data)
    except (msgspec.DecodeError, RecursionError):
        return [row for line in data.splitlines() for row in _row(line, decoder)]


def _row(line: bytes, decoder: msgspec.json.Decoder[T]) -> list[T]:
    try:
        return [decoder.decode(line)]
    except (msgspec.DecodeError, RecursionError):
        return []


def _point(row: _PointRow) -> list[Point]:
    name, value, step, at = row
    try:
        return [Point(name=name, value=float(value), step=step, at=at)]
    except ValueError:
        return []


def _medium(row: _MediaRow, path: str, attempt: str) -> Medium:
    kind, name, digest, size, mime, step, _ = row
    return Medium(
        task=path,
        attempt=attempt,
        name=name,
        kind=kind,
        digest=digest,
        size=size,
        mime=mime,
        step=step,
    )
