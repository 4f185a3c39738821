"""What the records speak of and what nobody does, kept in a temporary file: it may be much.

`gc` compares all that a home holds with all that the records name. Both are read in parts, and meet
here, in a database of SQLite's own that is deleted with its connection.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any

from mainspring.records.runs import Run
from mainspring.records.status import RUN_ENDED

_TABLES = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, pipeline TEXT, status TEXT, created REAL,
    ended REAL, over INTEGER, snapshot TEXT, doomed INTEGER DEFAULT 0
);
CREATE TABLE sources (run TEXT, source TEXT, PRIMARY KEY (source, run)) WITHOUT ROWID;
CREATE TABLE blobs (digest TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE holders (digest TEXT, format TEXT, size INTEGER, PRIMARY KEY (digest, format));
CREATE TABLE attempts (id TEXT PRIMARY KEY, over INTEGER) WITHOUT ROWID;
CREATE TABLE waste (number INTEGER PRIMARY KEY, kind TEXT, name TEXT, size INTEGER, reason TEXT);
"""
_CACHE = 8000  # KiB of the file that are held in memory
_PAGE = 500  # rows of an answer that are held in memory

_DOOM = """
UPDATE runs SET doomed = 1 WHERE number IN (
    SELECT number FROM (
        SELECT number, over, ended, row_number() OVER (
            PARTITION BY pipeline ORDER BY created DESC, number DESC) AS place FROM runs)
    WHERE over AND ended < ? AND place > ?)
"""
_SPARE = """
UPDATE runs SET doomed = 0 WHERE id IN
    (SELECT s.source FROM sources s JOIN runs r ON r.id = s.run WHERE NOT r.doomed)
"""
_DOOMED = "EXISTS (SELECT 1 FROM runs WHERE id = ? AND doomed)"
_DIRECTORIES = """
SELECT DISTINCT snapshot FROM (
    SELECT snapshot, over, row_number() OVER (
        PARTITION BY pipeline ORDER BY created DESC, number DESC) AS place
    FROM runs WHERE NOT doomed)
WHERE NOT over OR place = 1
"""
_KNOWN = "SELECT digest FROM blobs WHERE digest IN (SELECT value FROM json_each(?))"
_ATTEMPTS = "SELECT id, over FROM attempts WHERE id IN (SELECT value FROM json_each(?))"
_WASTE = """
SELECT number, kind, name, size, reason FROM waste w
WHERE number > ? AND NOT EXISTS (SELECT 1 FROM blobs b WHERE b.digest = w.name)
ORDER BY number LIMIT ?
"""
_TOTALS = """
SELECT count(*), coalesce(sum(size), 0) FROM waste w
WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.digest = w.name)
"""

Item = tuple[str, str, int, str]
"""Kind, name, size in bytes, reason."""


class Catalogue:
    """A block in which runs, blobs and attempts can be entered and compared."""

    def __init__(self) -> None:
        self._taken = 0

    def __enter__(self) -> Catalogue:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute(f"PRAGMA cache_size = -{_CACHE}")
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.executescript(_TABLES)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    # Runs, and which of them go.

    def add_runs(self, runs: Iterable[Run]) -> None:
        """Enter runs, in the order in which they were put on record; again is no error."""
        self._many(
            "INSERT OR IGNORE INTO runs (id, pipeline, status, created, ended, over, snapshot)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (run.id, run.pipeline, run.status.value, run.created, run.ended,
                 run.status in RUN_ENDED, run.snapshot)
                for run in runs
            ),
        )  # fmt: skip

    def add_sources(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Enter (run, run whose result it reused)."""
        self._many("INSERT OR IGNORE INTO sources VALUES (?, ?)", pairs)

    def doom(self, before: float, keep: int) -> None:
        """Give up runs that ended before that time, but neither the newest `keep` of a pipeline
        nor what a run that stays has reused."""
        self._db.execute(_DOOM, (before, keep))
        self._db.execute(_SPARE)

    def doomed(self) -> Iterator[tuple[str, str, str]]:
        """Id, pipeline and status of the runs that go, the newest first."""
        return self._rows(
            "SELECT id, pipeline, status FROM runs WHERE doomed ORDER BY created DESC, number DESC"
        )

    def snapshots(self) -> Iterator[str]:
        """The sources of the runs that stay."""
        return (row[0] for row in self._rows("SELECT DISTINCT snapshot FROM runs WHERE NOT doomed"))

    def directories(self) -> set[str]:
        """The sources that may be needed soon: of runs that have not ended, and of the newest of
        each pipeline."""
        return {row[0] for row in self._rows(_DIRECTORIES)}

    # What runs name.

    def add_blobs(self, digests: Iterable[str]) -> None:
        """Enter blobs that are needed."""
        self._many("INSERT OR IGNORE INTO blobs VALUES (?)", ((digest,) for digest in digests))

    def add_mentioned(
        self, blobs: Sequence[tuple[str, str, str, int]], refers: Callable[[str], bool]
    ) -> None:
        """Enter (run, digest, format, size), unless the run goes. `refers` says of a format whether
        its values may name other blobs."""
        self._many(
            f"INSERT OR IGNORE INTO blobs SELECT ? WHERE NOT {_DOOMED}",
            ((digest, run) for run, digest, _, _ in blobs),
        )
        self._many(
            f"INSERT OR IGNORE INTO holders SELECT ?, ?, ? WHERE NOT {_DOOMED}",
            ((digest, form, size, run) for run, digest, form, size in blobs if refers(form)),
        )

    def take_holders(self) -> Iterator[tuple[str, str, int]]:
        """Digest, format and size of the values that may name others, since the last call."""
        last = self._db.execute("SELECT coalesce(max(rowid), 0) FROM holders").fetchone()[0]
        sql = "SELECT digest, format, size FROM holders WHERE rowid > ? AND rowid <= ?"
        first, self._taken = self._taken, last
        return self._rows(sql, (first, last))

    def add_attempts(self, attempts: Iterable[tuple[str, str, bool]]) -> None:
        """Enter (run, attempt, whether it has ended), unless the run goes."""
        self._many(
            f"INSERT OR REPLACE INTO attempts SELECT ?, ? WHERE NOT {_DOOMED}",
            ((name, over, run) for run, name, over in attempts),
        )

    # What is there.

    def unknown(self, digests: Sequence[str]) -> set[str]:
        """Those of some blobs that nothing was entered for."""
        known = self._db.execute(_KNOWN, (json.dumps(digests),))
        return set(digests).difference(row[0] for row in known)

    def attempts(self, names: Sequence[str]) -> dict[str, bool]:
        """Whether they have ended, of some attempts those that were entered."""
        found = self._db.execute(_ATTEMPTS, (json.dumps(names),))
        return {name: bool(over) for name, over in found}

    def add_waste(self, items: Iterable[Item]) -> None:
        """Enter what nothing needs."""
        self._many("INSERT INTO waste (kind, name, size, reason) VALUES (?, ?, ?, ?)", items)

    def waste(self, at_once: int) -> Iterator[list[Item]]:
        """What was entered as waste, in order and in parts, but for blobs that were entered as
        needed before the part is asked for."""
        last = 0
        while rows := self._db.execute(_WASTE, (last, at_once)).fetchall():
            last = rows[-1][0]
            yield [row[1:] for row in rows]

    def totals(self) -> tuple[int, int]:
        """How many things are waste, and their bytes."""
        return self._db.execute(_TOTALS).fetchone()

    # The database.

    def _many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        self._db.execute("BEGIN")
        self._db.executemany(sql, rows)
        self._db.execute("COMMIT")

    def _rows(self, sql: str, values: Sequence[object] = ()) -> Iterator[Any]:
        with closing(self._db.cursor()) as cursor:
            cursor.execute(sql, values)
            while page := cursor.fetchmany(_PAGE):
                yield from page
