"""The verb `data diff`: in what two versions differ, by files, columns, labels and rows."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from blake3 import blake3

from mainspring.app.data.profiling import Profile
from mainspring.app.data.views import (
    DataDiffView,
    FileChangeView,
    LabelChangeView,
    RowsView,
    StatisticView,
    version_view,
)
from mainspring.app.project import Project
from mainspring.records.datasets import DatasetVersion
from mainspring.records.errors import MainspringError
from mainspring.storage import tables
from mainspring.storage.folders.content import Content
from mainspring.storage.folders.manifest import FileEntry

LISTED = 1_000  # files
ROWS = 100  # of each table, added and removed each
_STATISTICS = ("type", "missing", "minimum", "maximum", "mean", "deviation")

Pair = tuple[FileEntry | None, FileEntry | None]


def diff(project: Project, before: DatasetVersion, after: DatasetVersion) -> DataDiffView:
    """Compare two versions. Raises MainspringError where one of them can't be read."""
    old, new = Content(before.ref, project.blobs), Content(after.ref, project.blobs)
    pairs = list(_differing(old, new)) if before.digest != after.digest else []
    if old.kind == new.kind == "file" and len(pairs) == 2:  # its name is another one, too
        pairs = [(pairs[0][0] or pairs[1][0], pairs[0][1] or pairs[1][1])]
    files = _renamed(pairs)
    one, two = _profile(project, before), _profile(project, after)
    rows, skipped = _rows(old, new, pairs)
    return DataDiffView(
        before=version_view(before),
        after=version_view(after),
        counts=dict(Counter(change.how for change in files)),
        files=files[:LISTED],
        columns=list(_statistics(one, two)),
        labels=list(_labels(one, two)),
        rows=rows,
        skipped=skipped,
        cut=["files"] if len(files) > LISTED else [],
    )


def _differing(old: Content, new: Content) -> Iterator[Pair]:
    """The files that are not the same in both, by path; what is the same takes no memory."""
    left = ((entry.name, 0, entry) for entry in old.files())
    right = ((entry.name, 1, entry) for entry in new.files())
    waiting: FileEntry | None = None
    for name, side, entry in heapq.merge(left, right, key=lambda item: item[:2]):
        if waiting is not None and (side == 0 or waiting.name != name):
            yield waiting, None
            waiting = None
        if side == 0:
            waiting = entry
            continue
        if waiting != entry:
            yield waiting, entry
        waiting = None
    if waiting is not None:
        yield waiting, None


def _renamed(pairs: list[Pair]) -> list[FileChangeView]:
    """What became of each file; one that went and came under another path was renamed."""
    gone: dict[str, list[str]] = {}
    for old, new in pairs:
        if old is not None and new is None:
            gone.setdefault(old.digest, []).append(old.name)
    found: list[FileChangeView] = []
    moved: set[str] = set()
    for old, new in pairs:
        if new is None:
            continue
        if old is None and gone.get(new.digest):
            origin = gone[new.digest].pop(0)
            moved.add(origin)
            found.append(_change("renamed", new.name, new, new, origin))
        else:
            found.append(_change("added" if old is None else "changed", new.name, old, new))
    for old, new in pairs:
        if old is not None and new is None and old.name not in moved:
            found.append(_change("removed", old.name, old, None))
    return sorted(found, key=lambda change: change.path)


def _change(
    how: str, path: str, old: FileEntry | None, new: FileEntry | None, origin: str | None = None
) -> FileChangeView:
    return FileChangeView(
        path=path,
        how=how,
        origin=origin,
        before=old and old.digest,
        after=new and new.digest,
        size=(new or old or FileEntry(name="", digest="", size=0)).size,
    )


def _profile(project: Project, version: DatasetVersion) -> Profile:
    if version.profile is None:
        return Profile()
    return msgspec.json.decode(project.blobs.read(version.profile), type=Profile)


def _statistics(one: Profile, two: Profile) -> Iterator[StatisticView]:
    old = {column.name: column for column in one.columns}
    new = {column.name: column for column in two.columns}
    for name in {**old, **new}:
        if name not in old or name not in new:
            how = "removed" if name in old else "added"
            kind = (old.get(name) or new[name]).type
            yield StatisticView(column=name, statistic="column", before=how, after=kind)
            continue
        for statistic in _STATISTICS:
            before, after = getattr(old[name], statistic), getattr(new[name], statistic)
            if before != after:
                yield StatisticView(column=name, statistic=statistic, before=before, after=after)


def _labels(one: Profile, two: Profile) -> Iterator[LabelChangeView]:
    old, new = one.labels or {}, two.labels or {}
    for label in sorted({*old, *new}):
        if old.get(label, 0) != new.get(label, 0):
            yield LabelChangeView(label=label, before=old.get(label, 0), after=new.get(label, 0))


def _rows(old: Content, new: Content, pairs: list[Pair]) -> tuple[list[RowsView], list[str]]:
    """The rows in which tables differ that both versions have."""
    found: list[RowsView] = []
    skipped: list[str] = []
    for one, two in pairs:
        if one is None or two is None or one.digest == two.digest or not tables.kind_of(two.name):
            continue
        try:
            found.append(_row_diff(old, one, new, two))
        except MainspringError as error:
            skipped.append(f"{two.name}: {error.what}")
    return found, skipped


def _row_diff(old: Content, one: FileEntry, new: Content, two: FileEntry) -> RowsView:
    for entry in (one, two):
        kind = tables.kind_of(entry.name)
        if not kind or not tables.can_read(kind):
            raise MainspringError("its rows can't be read here")
    counts: Counter[bytes] = Counter()
    for row in _all_rows(new, two):
        counts[_key(row)] += 1
    for row in _all_rows(old, one):
        counts[_key(row)] -= 1
    more, fewer = +counts, +Counter({key: -count for key, count in counts.items() if count < 0})
    return RowsView(
        path=two.name,
        added=more.total(),
        removed=fewer.total(),
        added_rows=list(islice(_chosen(new, two, more), ROWS)),
        removed_rows=list(islice(_chosen(old, one, fewer), ROWS)),
    )


def _all_rows(content: Content, entry: FileEntry) -> Iterator[dict[str, Any]]:
    for rows in tables.batches(content.path(entry), entry.name):
        yield from rows


def _chosen(content: Content, entry: FileEntry, left: Counter[bytes]) -> Iterator[dict[str, Any]]:
    left = Counter(left)
    for row in _all_rows(content, entry):
        if not left:
            return
        key = _key(row)
        if left[key] > 0:
            left[key] -= 1
            yield {name: msgspec.to_builtins(value) for name, value in row.items()}


def _key(row: dict[str, Any]) -> bytes:
    text = repr(sorted(row.items(), key=lambda item: item[0]))  # tells 1 from 1.0, and NaN
    return blake3(text.encode("utf-8", "surrogatepass")).digest(16)
