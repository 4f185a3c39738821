"""The database file's format: created whole, recognised, and migrated only when asked to."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

from mainspring.records.errors import StoreError
from mainspring.storage.database import connect, explain
from mainspring.storage.filesystem import refuse_network

APPLICATION = 0x4D535052  # "MSPR", in the file's header: see file(1), `application_id`
MIGRATIONS = Path(__file__).parent / "migrations" / "sqlite"
_MAGIC = b"SQLite format 3\x00"


def prepare(path: Path, *, migrate: bool = False, migrations: Path = MIGRATIONS) -> None:
    """Leave `path` a store of the present format, or raise StoreError and touch nothing.

    A missing file is created. An older one is migrated only with `migrate`, after it was copied
    to `<name>.bak-<its format>`.
    """
    latest = max(numbered(migrations))
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
        refuse_network(path.parent)
        if not path.exists():
            _create(path, migrations)
            return
        version = _version(path)
    except OSError as error:
        raise StoreError(
            f"the store can't be opened: {error.strerror}",
            where=str(path),
            hint="check the permissions of the project's home, and that its disk has space",
        ) from error
    if version > latest:
        raise StoreError(
            "the store was written by a newer Mainspring "
            f"(format {version}, this one knows {latest})",
            where=str(path),
            hint="use that version of Mainspring, or a newer one",
        )
    if version < latest and not migrate:
        raise StoreError(
            f"the store has an older format ({version}, this Mainspring writes {latest})",
            where=str(path),
            hint="`mainspring store migrate` brings it up to date; a copy of the file is kept",
        )
    if version < latest:
        _migrate(path, migrations)


def numbered(migrations: Path = MIGRATIONS) -> dict[int, Path]:
    """The migrations by number, in order: number N makes format N of format N - 1."""
    names = sorted(name for name in os.listdir(migrations) if name.endswith(".sql"))
    return {int(name[:4]): migrations / name for name in names}


def _version(path: Path) -> int:
    """The format of a store's file; StoreError if it is something else."""
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise StoreError(
            "the store's file is empty or cut short"
            if len(header) < 100
            else "the file is not a Mainspring store, or its beginning is damaged",
            where=str(path),
            hint="restore it from a backup, or move it aside to begin a new store",
        )
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:  # the log may say more than the header
        with closing(connect(path, write=False)) as connection:
            try:
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                (application,) = connection.execute("PRAGMA application_id").fetchone()
            except sqlite3.Error as error:
                raise explain(error, path) from error
    else:
        version = int.from_bytes(header[60:64], "big")
        application = int.from_bytes(header[68:72], "big")
    if application != APPLICATION:
        raise StoreError("the file is a database, but not a Mainspring store", where=str(path))
    return int(version)


@contextmanager
def _alone(folder: Path) -> Generator[int]:
    """Hold the folder's lock, which the kernel drops with this process."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flock(handle, LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _create(path: Path, migrations: Path) -> None:
    """Make the file under another name and give it its own when it is complete and durable."""
    fresh = path.with_name(path.name + ".new")
    with _alone(path.parent) as folder:
        if path.exists():
            return
        for leftover in (fresh, Path(f"{fresh}-journal"), Path(f"{fresh}-wal")):
            leftover.unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                _apply(connection, 0, migrations)
        except sqlite3.Error as error:
            fresh.unlink(missing_ok=True)
            raise explain(error, path) from error
        os.rename(fresh, path)
        os.fsync(folder)


def _migrate(path: Path, migrations: Path) -> None:
    with _alone(path.parent) as folder, closing(connect(path, write=False)) as connection:
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            copy = path.with_name(f"{path.name}.bak-{version}")
            if version == max(numbered(migrations)):
                return  # another process was faster
            with closing(sqlite3.connect(copy)) as target:
                connection.backup(target)
            os.fsync(folder)
            connection.execute("PRAGMA query_only = OFF")
            _apply(connection, version, migrations)
        except sqlite3.Error as error:
            raise StoreError(
                f"the store could not be migrated: {error}",
                where=str(path),
                hint="nothing was changed; the store still has its former format",
            ) from error


def _apply(connection: sqlite3.Connection, version: int, migrations: Path) -> None:
    """Run the migrations after `version`, all or none."""
    todo = {number: file for number, file in numbered(migrations).items() if number > version}
    script = "\n".join(file.read_text(encoding="utf-8") for file in todo.values())
    try:
        connection.executescript(
            f"BEGIN EXCLUSIVE;\n{script}\nPRAGMA user_version = {max(todo)};\nCOMMIT;"
        )
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
