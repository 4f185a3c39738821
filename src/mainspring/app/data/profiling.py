"""What is known of a version's content: rows, columns, labels; found once, and stored with it."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import msgspec

from mainspring.records.canonical import canonical
from mainspring.records.errors import MainspringError
from mainspring.records.ports import Blobs
from mainspring.storage import tables
from mainspring.storage.folders.content import Content
from mainspring.storage.folders.manifest import FileEntry

CATEGORIES = 50  # values of a column that are counted by name
LABELS = 1_000  # labels that are counted by name
SAMPLE = 10_000  # values that quantiles are taken of
SKIPPED = 20  # files that are named when they could not be profiled
FOLDER = "folder"  # the label of images that lie in a folder for each class
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_IMAGES = frozenset((".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"))


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A column: its type, how many values are missing, and of numbers their range, mean, standard
    deviation and quantiles (5, 25, 50, 75, 95 %; of more than 10,000 values those of a sample), of
    few different values how often each occurs."""

    name: str
    type: str
    missing: int = 0
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    deviation: float | None = None
    quantiles: tuple[float, ...] | None = None
    categories: dict[str, int] | None = None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """`label` is the column (or "folder") that says what a row is; `labels` counts its values.
    `skipped` names tables that could not be read, and why."""

    rows: int | None = None
    labelled: int | None = None
    label: str | None = None
    labels: dict[str, int] | None = None
    columns: tuple[ColumnProfile, ...] = ()
    tables: int = 0
    skipped: tuple[str, ...] = ()
    format: str = "mainspring.profile/1"


def profile(content: Content, label: str | None = None, *, strict: bool = True) -> Profile:
    """Look at every table of a version; `label` names the column that has labels.

    Where there are none, but images each in a folder of one class, those are counted. Raises
    MainspringError where no table has that column, unless it need not be there (not `strict`).
    """
    table = _Table(label)
    images = _Images()
    for entry in content.files():
        images.add(entry)
        if tables.kind_of(entry.name):
            table.read(content, entry)
    if table.count:
        return table.profile(strict=strict)
    if strict and label not in (None, FOLDER):
        raise MainspringError(f"there is no table with a column {label!r} in it")
    made = images.profile()
    return msgspec.structs.replace(made, skipped=tuple(table.skipped))


def store(made: Profile, blobs: Blobs) -> str | None:
    """Store a profile; return its digest. None where it says nothing."""
    if made.rows is None and not made.skipped:
        return None
    return blobs.put(canonical(made))[0]


class _Table:
    """All tables of a version as one: columns of equal names belong together."""

    def __init__(self, label: str | None) -> None:
        self.count = 0
        self.skipped: list[str] = []
        self._label = label
        self._rows = 0
        self._columns: dict[str, _Column] = {}

    def read(self, content: Content, entry: FileEntry) -> None:
        kind = tables.kind_of(entry.name)
        if not tables.can_read(kind):
            self._skip(f"{entry.name}: needs pyarrow")
            return
        try:
            path = content.path(entry)
            for name, declared in tables.columns_of(path, entry.name):
                self._column(name).declared = declared
            for rows in tables.batches(path, entry.name):
                self._add(rows, kind)
            self.count += 1
        except MainspringError as error:
            self._skip(f"{entry.name}: {error.what}")

    def _skip(self, text: str) -> None:
        if len(self.skipped) < SKIPPED:
            self.skipped.append(text)

    def _column(self, name: str) -> _Column:
        if name not in self._columns:
            most = LABELS if name == self._label else CATEGORIES
            self._columns[name] = _Column(name, most, self._rows)
        return self._columns[name]

    def _add(self, rows: tables.Rows, kind: str) -> None:
        names = dict.fromkeys(name for row in rows for name in row)
        for name in {**self._columns, **names}:
            values = [row.get(name) for row in rows]
            self._column(name).add(map(_number, values) if kind == "csv" else values)
        self._rows += len(rows)

    def profile(self, *, strict: bool) -> Profile:
        columns = tuple(column.profile() for column in self._columns.values())
        labelled = labels = None
        found = self._columns.get(self._label or "")
        if self._label is not None and (found is not None or strict):
            if found is None:
                known = ", ".join(self._columns) or "none"
                raise MainspringError(
                    f"no table has a column {self._label!r}", hint=f"the columns are {known}"
                )
            labelled, labels = self._rows - found.missing, found.counted()
        return Profile(
            rows=self._rows,
            labelled=labelled,
            label=None if found is None else self._label,
            labels=labels,
            columns=columns,
            tables=self.count,
            skipped=tuple(self.skipped),
        )


class _Column:
    def __init__(self, name: str, most: int, missing: int) -> None:
        self.name = name
        self.declared = ""
        self.missing = missing  # rows that came before the column did
        self._most = most
        self._counts: Counter[str] | None = Counter()
        self._kinds: set[str] = set()
        self._numbers = 0
        self._mean = self._squares = 0.0
        self._least: Any = None
        self._largest: Any = None
        self._sample: list[float] = []
        self._random = random.Random(0)  # noqa: S311 (the same content has the same profile)

    def add(self, values: Iterable[Any]) -> None:
        for value in values:
            if value is None or (isinstance(value, float) and math.isnan(value)):
                self.missing += 1
                continue
            self._kinds.add(type(value).__name__)
            if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
                with suppress(OverflowError):  # an integer that is no float has no statistics
                    self._number(float(value))
            if self._counts is not None:
                self._counts[_text(value)] += 1
                if len(self._counts) > self._most:
                    self._counts = None

    def _number(self, value: float) -> None:
        self._numbers += 1
        step = value - self._mean
        self._mean += step / self._numbers
        self._squares += step * (value - self._mean)
        self._least = value if self._least is None else min(self._least, value)
        self._largest = value if self._largest is None else max(self._largest, value)
        if len(self._sample) < SAMPLE:
            self._sample.append(value)
        elif (place := self._random.randrange(self._numbers)) < SAMPLE:
            self._sample[place] = value

    def counted(self) -> dict[str, int] | None:
        """How often each value occurs, where there are few."""
        return None if self._counts is None else dict(sorted(self._counts.items()))

    def profile(self) -> ColumnProfile:
        numbers = self._numbers > 0 and self._kinds <= {"int", "float", "Decimal"}
        sample = sorted(self._sample)
        return ColumnProfile(
            name=self.name,
            type=self.declared or "|".join(sorted(self._kinds)) or "null",
            missing=self.missing,
            minimum=_finite(self._least) if numbers else None,
            maximum=_finite(self._largest) if numbers else None,
            mean=_finite(self._mean) if numbers else None,
            deviation=_finite(math.sqrt(self._squares / self._numbers)) if numbers else None,
            quantiles=tuple(_at(sample, q) for q in _QUANTILES) if numbers else None,
            categories=self.counted(),
        )


class _Images:
    """Images in folders that are named like their classes: `rose/1.jpg`."""

    def __init__(self) -> None:
        self._labels: Counter[str] = Counter()
        self._loose = 0
        self._fits = True

    def add(self, entry: FileEntry) -> None:
        path = PurePosixPath(entry.name)
        if path.suffix.lower() not in _IMAGES or len(path.parts) > 2:
            self._fits = False
        elif len(path.parts) == 2:
            self._labels[path.parts[0]] += 1
        else:
            self._loose += 1

    def profile(self) -> Profile:
        if not self._fits or not self._labels:
            return Profile()
        labelled = self._labels.total()
        return Profile(
            rows=labelled + self._loose,
            labelled=labelled,
            label=FOLDER,
            labels=dict(sorted(self._labels.items())),
        )


def _number(value: Any) -> Any:
    """A cell of a CSV file as the number that it looks like."""
    for kind in (int, float):
        try:
            return kind(value)
        except (TypeError, ValueError):
            pass
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _at(sample: list[float], quantile: float) -> float:
    return sample[round(quantile * (len(sample) - 1))]
