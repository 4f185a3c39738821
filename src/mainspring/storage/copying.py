"""Copying all records from one store to another, SQLite or PostgreSQL, in bounded memory.

The source is read in one transaction, so that it may be in use; the target is filled in another,
so that a copy that was interrupted left nothing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from mainspring.records.errors import ConflictError, StoreError
from mainspring.storage import postgres_schema, schema
from mainspring.storage.database import connect, explain
from mainspring.storage.postgres_connection import Address, driver
from mainspring.storage.postgres_connection import explain as explain_postgres
from mainspring.storage.postgres_sql import inward, outward
from mainspring.storage.sessions import Row

TABLES = (  # each after those that it refers to
    "specs", "statics", "runs", "tasks", "edges", "attempts", "artifacts", "results",
    "divergences", "expected", "decisions", "series", "points", "media", "facts", "notes",
    "datasets", "dataset_versions", "models", "model_versions", "model_aliases", "imports",
)  # fmt: skip
BATCH = 1_000
_PATIENCE = 5.0
_BY_ID = (
    "results", "divergences", "decisions", "series", "media", "dataset_versions", "model_versions",
    "model_aliases",
)  # fmt: skip
_NUMBERED = {
    "runs": "number",
    **dict.fromkeys(_BY_ID, "id"),
}


class Side(Protocol):
    """One end of a copy, inside its transaction."""

    def columns(self, table: str) -> list[str]: ...
    def rows(self, table: str, columns: list[str]) -> Iterator[Row]: ...
    def add(self, table: str, columns: list[str], rows: list[Row]) -> None: ...
    def count(self, table: str) -> int: ...
    def finish(self) -> None:
        """Whatever has to be set right once all rows are there."""
        ...


def copy_store(source: str, target: str) -> Mapping[str, int]:
    """Copy everything; return how many rows each table has now.

    Each is a `postgresql://` URL or a file's path. The target has to be missing or empty: else
    ConflictError, as for one that is the source. Raises StoreError.
    """
    if source == target or _same_file(source, target):
        raise ConflictError("a store can't be copied to itself", where=shown(target))
    with _reading(source) as read, _filling(target) as fill:
        counts = {table: _copy(table, read, fill) for table in TABLES}
        fill.finish()
        found = {table: fill.count(table) for table in TABLES}
        if found != counts:
            raise StoreError(
                "the copy does not have as many rows as were read", where=shown(target)
            )
    return counts


def _same_file(source: str, target: str) -> bool:
    one, other = Path(source), Path(target)
    return one.exists() and other.exists() and one.samefile(other)


def _copy(table: str, read: Side, fill: Side) -> int:
    columns = read.columns(table)
    rows = read.rows(table, columns)
    count = 0
    while batch := list(islice(rows, BATCH)):
        fill.add(table, columns, batch)
        count += len(batch)
    return count


def is_url(place: str) -> bool:
    """Whether a store's place is a server's, not a file's."""
    return place.startswith(("postgresql://", "postgres://"))


def shown(place: str) -> str:
    """A store's place as people may see it: no password."""
    return str(Address(place)) if is_url(place) else place


@contextmanager
def _reading(place: str) -> Generator[Side]:
    if is_url(place):
        address = Address(place)
        with _postgres(address) as connection:
            if postgres_schema.version_of(connection, str(address)) == 0:
                raise StoreError("there is no store to copy from", where=str(address))
            postgres_schema.prepare(address, _PATIENCE)
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield _Postgres(connection)
        return
    path = Path(place)
    if not path.is_file():
        raise StoreError("there is no store to copy from", where=place)
    schema.prepare(path)
    with closing(connect(path, write=False)) as connection, _explained(path):
        connection.execute("BEGIN")
        yield _Sqlite(connection)


@contextmanager
def _filling(place: str) -> Generator[Side]:
    if is_url(place):
        address = Address(place)
        postgres_schema.prepare(address, _PATIENCE)
        with _postgres(address) as connection:
            side = _Postgres(connection)
            connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            connection.execute("LOCK TABLE specs, runs IN SHARE ROW EXCLUSIVE MODE")
            _refuse_full(side, str(address))
            yield side
            connection.execute("COMMIT")
        return
    with (
        _new_file(Path(place)) as path,
        closing(connect(path, write=True)) as connection,
        _explained(path),
    ):
        connection.execute("BEGIN IMMEDIATE")
        yield _Sqlite(connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _new_file(path: Path) -> Generator[Path]:
    """A new store under another name, which gets its own when all is there."""
    if path.exists():
        schema.prepare(path)
        with closing(connect(path, write=False)) as connection:
            _refuse_full(_Sqlite(connection), str(path))
    draft = path.with_name(f"{path.name}.copy-{os.getpid()}")
    try:
        schema.prepare(draft)
        yield draft
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        os.rename(draft, path)
    finally:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{draft}{suffix}").unlink(missing_ok=True)


def _refuse_full(side: Side, where: str) -> None:
    if any(side.count(table) for table in ("runs", "specs", "decisions", "datasets", "models")):
        raise ConflictError(
            "the store to copy to is not empty", where=where, hint="name a new file or database"
        )


@contextmanager
def _explained(path: Path) -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error


@contextmanager
def _postgres(address: Address) -> Generator[Any]:
    connection = address.connect(_PATIENCE)
    try:
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        yield connection
    except driver().Error as error:
        raise explain_postgres(error, str(address)) from error
    finally:
        connection.close()


class _Sqlite:
    """A connection to a file; names of tables and columns are those of the schema."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def columns(self, table: str) -> list[str]:
        return [row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")]

    def rows(self, table: str, columns: list[str]) -> Iterator[Row]:
        names = ", ".join(columns)
        return iter(self._connection.execute(f"SELECT {names} FROM {table} ORDER BY 1, 2"))  # noqa: S608

    def add(self, table: str, columns: list[str], rows: list[Row]) -> None:
        marks = ", ".join("?" * len(columns))
        names = ", ".join(columns)
        self._connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608

    def count(self, table: str) -> int:
        return self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608

    def finish(self) -> None:
        """Nothing: ids continue from the largest."""


class _Postgres:
    """A connection to a server, likewise."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def columns(self, table: str) -> list[str]:
        cursor = self._connection.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608
        return [column.name for column in cursor.description]

    def rows(self, table: str, columns: list[str]) -> Iterator[Row]:
        names = ", ".join(columns)
        with self._connection.cursor(name=f"copy_{table}") as cursor:
            cursor.itersize = BATCH
            cursor.execute(f"SELECT {names} FROM {table} ORDER BY 1, 2")  # noqa: S608
            while found := cursor.fetchmany(BATCH):
                yield from inward(found)

    def add(self, table: str, columns: list[str], rows: list[Row]) -> None:
        names = ", ".join(columns)
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(outward(row))

    def count(self, table: str) -> int:
        return self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608

    def finish(self) -> None:
        """New ids go on after those that were copied."""
        for table, column in _NUMBERED.items():
            self._connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), "  # noqa: S608
                f"(SELECT max({column}) FROM {table})) FROM {table} LIMIT 1"
            )
        self._connection.execute(
            "SELECT setval('task_ids', (SELECT max(id) FROM tasks)) FROM tasks LIMIT 1"
        )
