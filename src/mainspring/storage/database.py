"""One SQLite connection: statements in, rows out, and errors that a user can act on."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import NoReturn

from mainspring.records.errors import ConflictError, StoreError
from mainspring.storage.sessions import PATIENCE, ChangeSession, Row, Session, Values

_TURN = 5.0  # seconds that SQLite itself waits, inside of one try
_BUSY = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED

_FAULTS: dict[int, tuple[str, str]] = {
    3: ("the store can't be written: permission denied", "check who owns the project's home"),
    8: (
        "the store can't be written: it is read-only",
        "check the permissions of the project's home, and that its disk is mounted writable",
    ),
    10: (
        "the disk failed while the store was read or written",
        "check the disk's space and health; nothing of the unfinished change was kept",
    ),
    11: (
        "the store is damaged",
        "`mainspring doctor` says how far; restore the file from a backup, or move it aside to "
        "begin a new store",
    ),
    13: ("the disk is full", "free some space and try again; the unfinished change was undone"),
    14: (
        "the store can't be opened",
        "check that the project's home exists, is writable, and is not a read-only mount",
    ),
    26: (
        "the file is not a Mainspring store, or it is damaged",
        "restore it from a backup, or move it aside to begin a new store",
    ),
}


_IO_ERROR, _FULL = 10, 13


def explain(error: sqlite3.Error, path: Path) -> StoreError | ConflictError:
    """The error that a user sees in place of SQLite's."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return StoreError(
            "another process has kept the store busy for too long",
            where=str(path),
            hint="see which other Mainspring process is at work on this project, and try again",
        )
    if code == _IO_ERROR and _is_full(path):
        code = _FULL  # its shared-memory file could not grow, which SQLite takes for a bad disk
    if code in _FAULTS:
        what, hint = _FAULTS[code]
        return StoreError(what, where=str(path), hint=hint)
    if isinstance(error, sqlite3.IntegrityError):
        return ConflictError(f"the store refused a change: {error}")
    if "closed database" in str(error):
        return StoreError("the store is closed", where=str(path))
    return StoreError(f"the store failed: {error}", where=str(path))


def _is_full(path: Path) -> bool:
    """Whether the file system can't hold one more page of the shared-memory file (32 KiB)."""
    try:
        free = os.statvfs(path.parent)
    except OSError:
        return False
    return free.f_bavail * free.f_frsize < 1 << 16


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open an existing database file; used by one thread at a time (see Reader and Writer)."""
    if sqlite3.sqlite_version_info < (3, 35):
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version} is too old for Mainspring (3.35 is needed)",
            hint="use a Python that is built with a newer SQLite",
        )
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=_TURN,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
    except sqlite3.Error as error:
        raise explain(error, path) from error
    try:
        connection.execute("PRAGMA synchronous = FULL")
        if write:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            connection.execute("PRAGMA cache_size = -16000")
        else:
            connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        connection.close()
        raise explain(error, path) from error
    return connection


class ReadSession(Session):
    """Reads what is committed. Threads share it; each statement sees one state of the store."""

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self.path = path
        self._patience = patience
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._connection = connect(path, write=False)

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        if os.getpid() != self._pid:
            raise forked(self.path)
        deadline = 0.0
        while True:
            try:
                with self._lock:
                    return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                deadline = deadline or monotonic() + self._patience
                if not is_busy(error) or monotonic() >= deadline:
                    raise explain(error, self.path) from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()


class WriteSession(ChangeSession):
    """One transaction at a time, over one connection that opens when it is first needed.

    After a statement has failed the transaction is undone, whatever its caller makes of the
    error: SQLite may have ended it already, and what followed would be committed by itself.
    """

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self.path = path
        self._patience = patience
        self._pid = os.getpid()
        self._owner = 0
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._execute: Callable[..., sqlite3.Cursor] = self._outside

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        try:
            return self._execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def change(self, sql: str, values: Values = ()) -> int:
        """Run a statement that returns no rows; how many rows it changed."""
        try:
            return self._execute(sql, values).rowcount
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        """Run a statement once for each row of values."""
        if self._connection is None or self._execute != self._connection.execute:
            self._execute(sql)
            return
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def begin(self) -> None:
        """Wait for the store's one place for a writer, and take it."""
        if os.getpid() != self._pid:
            raise forked(self.path)
        if self._owner == threading.get_ident():
            raise StoreError("a transaction is already open in this thread", where=str(self.path))
        if not self._lock.acquire(timeout=self._patience):
            raise StoreError(
                "another thread has kept the store busy too long", where=str(self.path)
            )
        try:
            self._begin()
        except BaseException:
            self._lock.release()
            raise
        self._owner = threading.get_ident()

    def _begin(self) -> None:
        if self._closed:
            raise StoreError("the store is closed", where=str(self.path))
        connection = self._connection or connect(self.path, write=True)
        self._connection = connection
        if connection.in_transaction:  # an interrupt came between BEGIN and its owner's block
            connection.execute("ROLLBACK")
        deadline = monotonic() + self._patience
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.Error as error:
                if not is_busy(error) or monotonic() >= deadline:
                    raise explain(error, self.path) from error
        self._execute = connection.execute

    def end(self, commit: bool) -> None:
        """Commit (durable when this returns) or undo. Raises StoreError if it can't commit."""
        connection = self._connection
        broken = connection is None or self._execute != connection.execute
        self._execute = self._outside
        try:
            if connection is None:
                return
            if commit and not broken:
                connection.execute("COMMIT")
            elif connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            if connection is not None and connection.in_transaction:
                connection.execute("ROLLBACK")
            raise explain(error, self.path) from error
        finally:
            self._owner = 0
            self._lock.release()
        if commit and broken:
            raise StoreError("the transaction was undone: a statement had failed")

    def close(self) -> None:
        self._closed = True
        if self._connection is not None:
            self._connection.close()

    def _broken(self, error: sqlite3.Error) -> StoreError | ConflictError:
        self._execute = self._after_failure
        return explain(error, self.path)

    def _outside(self, _sql: str, _values: Values = ()) -> NoReturn:
        raise StoreError("a transaction was used outside of its block", where=str(self.path))

    def _after_failure(self, _sql: str, _values: Values = ()) -> NoReturn:
        raise StoreError("the transaction was undone: a statement had failed")


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else's turn is all that is wrong."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY


def forked(path: Path) -> StoreError:
    """A connection must not cross a fork: SQLite's locks would be lost with the child."""
    return StoreError("the store was opened by another process, before a fork", where=str(path))
