"""The database's format on PostgreSQL: created whole, recognised, and migrated only when asked."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from mainspring.records.errors import StoreError
from mainspring.storage.owner import checked_id
from mainspring.storage.postgres_connection import Address, driver, explain

APPLICATION = "mainspring"
MIGRATIONS = Path(__file__).parent / "migrations" / "postgres"
_COMMENT = "mainspring store "
_LOCK = 0x6D61696E73707267  # of the advisory lock under which tables are made


def prepare(
    address: Address, patience: float, *, migrate: bool = False, migrations: Path = MIGRATIONS
) -> None:
    """Leave the database with a store of the present format, or raise StoreError and change
    nothing. Tables that are missing are made; older ones are migrated only with `migrate`."""
    psycopg = driver()
    latest = max(numbered(migrations))
    with address.connect(patience) as connection:
        try:
            version = version_of(connection, str(address))
            if version == latest:
                return
            _check(version, latest, str(address), migrate=migrate)
            # Before the transaction: one that had begun would not see a schema that is new.
            connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            with connection.transaction():
                version = version_of(connection, str(address))
                _check(version, latest, str(address), migrate=migrate)
                _apply(connection, version, numbered(migrations))
        except psycopg.Error as error:
            raise explain(error, str(address)) from error


def numbered(migrations: Path = MIGRATIONS) -> dict[int, Path]:
    """The migrations by number, in order: number N makes format N of the one before."""
    return {int(path.name[:4]): path for path in sorted(migrations.glob("[0-9]*.sql"))}


def _check(version: int, latest: int, where: str, *, migrate: bool) -> None:
    if version > latest:
        raise StoreError(
            "the store was written by a newer Mainspring "
            f"(format {version}, this one knows {latest})",
            where=where,
            hint="use that version of Mainspring, or a newer one",
        )
    if 0 < version < latest and not migrate:
        raise StoreError(
            f"the store has an older format ({version}, this Mainspring writes {latest})",
            where=where,
            hint="make a backup, then `mainspring store migrate` brings it up to date",
        )


def version_of(connection: Any, where: str) -> int:
    """The format of the tables there, 0 where there are none."""
    (has_format, has_runs) = connection.execute(
        "SELECT to_regclass('format') IS NOT NULL, to_regclass('runs') IS NOT NULL"
    ).fetchone()
    if not has_format and not has_runs:
        return 0
    rows: list[tuple[str, int]] = []
    if has_format:
        rows = connection.execute("SELECT application, version FROM format").fetchall()
    if len(rows) != 1 or rows[0][0] != APPLICATION:
        raise StoreError(
            "the database has tables of the same names that are no Mainspring store",
            where=where,
            hint="use another database, or another schema: ?options=-csearch_path%3DNAME",
        )
    return int(rows[0][1])


def _apply(connection: Any, version: int, migrations: dict[int, Path]) -> None:
    from psycopg import sql

    todo = {number: path for number, path in migrations.items() if number > version}
    if not todo:
        return
    if version == 0:
        (path,) = connection.execute("SHOW search_path").fetchone()
        schema = path.split(",")[0].strip().strip('"')
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    for path in todo.values():
        connection.execute(path.read_text("utf-8"))
    if version == 0:
        connection.execute("INSERT INTO format VALUES (%s, 0)", (APPLICATION,))
    connection.execute("UPDATE format SET version = %s", (max(todo),))


def identity(address: Address, patience: float) -> str:
    """The id of the store in this database: a comment of the table `format`, which backups keep.
    The first call makes it. Raises StoreError, StoreUnavailableError."""
    from psycopg import sql

    ask = "SELECT obj_description('format'::regclass, 'pg_class')"
    try:
        with address.connect(patience) as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            (found,) = connection.execute(ask).fetchone()
            if not found:
                found = _COMMENT + uuid.uuid4().hex
                comment = sql.SQL("COMMENT ON TABLE format IS {}")
                connection.execute(comment.format(sql.Literal(found)))
    except driver().Error as error:
        raise explain(error, str(address)) from error
    return checked_id(found.removeprefix(_COMMENT), str(address))
