"""A connection to PostgreSQL, and what its errors mean to a user."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from functools import cache
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeAlias

from mainspring.records.errors import (
    ConflictError,
    ProjectError,
    StoreError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    import psycopg

Connection: TypeAlias = Any
"""A psycopg.Connection: statements come from files, which its types for queries don't allow."""

SCHEMA = "mainspring"
"""The schema that the tables are in, unless the URL's options set another `search_path`."""

_TIMEOUT = 10  # seconds for a connection to be made, and for a dead one to be noticed
_PAUSE = 0.05  # seconds between two tries to connect, at first
_SETTINGS = "SET idle_in_transaction_session_timeout = '30s'; SET lock_timeout = '20s'"
_PERMANENT = (
    "authentication failed", "does not exist", "no password supplied", "no pg_hba.conf entry",
    "could not translate host name", "failed to resolve host", "is not permitted to log in",
    "permission denied for database", "certificate", "SSL was required",
    "server does not support SSL",
)  # fmt: skip


class Address:
    """Where a database is. It never shows a password."""

    def __init__(self, url: str) -> None:
        psycopg = driver()
        try:
            self._parts: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            raise ProjectError(
                "the URL of the store can't be read",
                where="storage.store",
                hint="write it as postgresql://USER@HOST:PORT/DATABASE",
            ) from None
        self.own_schema = "search_path" in str(self._parts.get("options", ""))

    def __str__(self) -> str:
        user = self._parts.get("user")
        host = self._parts.get("host") or self._parts.get("hostaddr") or ""
        port = self._parts.get("port")
        at, at_port = f"{user}@" if user else "", f":{port}" if port else ""
        return f"postgresql://{at}{host}{at_port}/{self._parts.get('dbname', '')}"

    __repr__ = __str__

    def connect(self, patience: float = 0.0, **options: Any) -> Connection:
        """Open a connection, trying for `patience` seconds while the server is away.

        Raises StoreUnavailableError, or StoreError when trying again is of no use.
        """
        psycopg = driver()
        deadline, pause = monotonic() + patience, _PAUSE
        while True:
            try:
                return self._connect(**options)
            except psycopg.Error as error:
                found = explain(error, str(self), connecting=True)
                if not isinstance(found, StoreUnavailableError) or monotonic() + pause > deadline:
                    raise found from None
            sleep(pause)  # nothing tells when a server is back
            pause = min(2 * pause, 0.5)

    def _connect(self, **options: Any) -> Connection:
        psycopg = driver()
        # A timeout or name that the URL gives goes before these.
        usual = {
            "connect_timeout": _TIMEOUT,
            "tcp_user_timeout": 1000 * _TIMEOUT,
            "application_name": "mainspring",
        }
        given = {**usual, **self._parts, **options}
        connection = psycopg.connect(**given, autocommit=True)
        try:
            path = "" if self.own_schema else f"SET search_path TO {SCHEMA}; "
            connection.execute(f"{path}{_SETTINGS}")
        except BaseException:
            connection.close()
            raise
        return connection


@cache
def driver() -> Any:
    """psycopg, or an error that says how to get it."""
    try:
        import psycopg
    except ImportError:
        raise ProjectError(
            "a store in PostgreSQL needs the package psycopg, which is not installed",
            hint='install it: pip install "mainspring[postgres]"',
        ) from None
    # What it would log of a lost connection is said by our own errors.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    return psycopg


def explain(
    error: psycopg.Error, where: str, *, connecting: bool = False
) -> StoreError | ConflictError:
    """The error that a user sees in place of psycopg's."""
    psycopg = driver()
    said = _said(error)
    if connecting and any(word in said for word in _PERMANENT):
        hint = "check the URL; a password comes from PGPASSWORD or ~/.pgpass"
        return StoreError(f"the store can't be opened: {said}", where=where, hint=hint)
    if isinstance(error, psycopg.errors.DiskFull):
        return StoreError("the disk of the store's server is full", where=where)
    if isinstance(error, psycopg.errors.IntegrityError):
        return ConflictError(f"the store refused a change: {said}")
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        hint = "see docs/guide/postgresql.md for what the role needs"
        return StoreError(f"the store refused: {said}", where=where, hint=hint)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        hint = "see whether PostgreSQL is up and can be reached from here"
        return StoreUnavailableError(f"the store is not there: {said}", where=where, hint=hint)
    return StoreError(f"the store failed: {said}", where=where)


def _said(error: psycopg.Error) -> str:
    text = error.diag.message_primary or str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


class Line:
    """One connection that is opened when it is needed, and anew after it was lost.

    It must not cross a fork: both processes would write to one socket.
    """

    def __init__(self, address: Address) -> None:
        self._connection: Connection | None = None
        self.address = address
        self._pid = os.getpid()
        self._closed = False

    def open(self, patience: float) -> Connection:
        """The connection. Raises StoreError, StoreUnavailableError."""
        if os.getpid() != self._pid:
            raise StoreError(
                "the store was opened by another process, before a fork", where=str(self.address)
            )
        if self._closed:
            raise StoreError("the store is closed", where=str(self.address))
        if self._connection is None or self._connection.closed:
            self._connection = self.address.connect(patience)
        return self._connection

    def drop(self) -> None:
        """Forget a connection that is of no more use."""
        connection, self._connection = self._connection, None
        if connection is not None and os.getpid() == self._pid:
            with contextlib.suppress(driver().Error):
                connection.close()

    def __del__(self) -> None:
        if not sys.is_finalizing():  # a store that is let go leaves no connection behind
            self.drop()

    def close(self) -> None:
        """Close for good."""
        self._closed = True
        self.drop()
