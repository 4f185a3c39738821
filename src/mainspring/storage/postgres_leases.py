"""Who is alive, when engines on several machines share one PostgreSQL: leases that are renewed.

A row for each engine, renewed by a thread on a connection of its own, so that neither a long turn
nor a busy store lets a lease run out. Only the server's clock counts, and no lease is older than
the server is up: while it was down nobody could renew. An engine whose home can be reached from
here holds a file lock there too (leases.py), which tells of its death at once.
"""

from __future__ import annotations

import os
import platform
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mainspring.records.errors import ConflictError, StoreError, StoreUnavailableError
from mainspring.storage.leases import FileLeases
from mainspring.storage.postgres_connection import SCHEMA, Address, Connection

if TYPE_CHECKING:
    pass

TTL = 10.0
"""Seconds for which a lease holds without being renewed, unless the settings say otherwise."""

_JOIN = 2.0  # seconds for the thread to end; it may be waiting for a server that is down
_LOCK = 0x6D61696E6C656173  # of the advisory lock under which the table is made
_MARK = "home-id"

_TABLE = """
CREATE TABLE IF NOT EXISTS engines (
    id text PRIMARY KEY,
    host text NOT NULL,
    home text NOT NULL,
    mark text NOT NULL,
    pid bigint NOT NULL,
    renewed timestamptz NOT NULL,
    ttl double precision NOT NULL
)
"""
# How old a lease is: counted from when the server came up, if that was later.
_HOLD = """
INSERT INTO engines (id, host, home, mark, pid, renewed, ttl)
VALUES (%s, %s, %s, %s, %s, clock_timestamp(), %s)
ON CONFLICT (id) DO UPDATE SET host = excluded.host, home = excluded.home, mark = excluded.mark,
    pid = excluded.pid, renewed = excluded.renewed, ttl = excluded.ttl
WHERE (engines.mark, engines.pid) = (excluded.mark, excluded.pid)
    OR extract(epoch FROM clock_timestamp()
        - greatest(engines.renewed, pg_postmaster_start_time())) >= engines.ttl
"""
_ALIVE = """
SELECT id, home, mark FROM engines
WHERE extract(epoch FROM clock_timestamp() - greatest(renewed, pg_postmaster_start_time())) < ttl
    AND (id = %s OR %s)
ORDER BY id
"""
_RENEW = "UPDATE engines SET renewed = clock_timestamp() WHERE id = %s"
_RELEASE = "DELETE FROM engines WHERE id = %s"
_FORGET = "DELETE FROM engines WHERE renewed < clock_timestamp() - interval '1 day'"

T = TypeVar("T")


class PostgresLeases:
    """Leases as rows of a table (records.stores.Leases), in the database at `url`.

    `folder` is for the locks of engines that have the same home, `ttl` in seconds. Raises
    StoreUnavailableError whenever the server can't be asked.
    """

    def __init__(self, url: str, folder: Path, *, ttl: float = TTL) -> None:
        self._folder = folder
        self._files = FileLeases(folder)
        self._ttl = ttl
        self._asking = _Line(url, ttl)
        self._renewing = _Line(url, ttl)
        self._held: set[str] = set()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def hold(self, engine: str) -> None:
        """Take the lease, and keep it. Raises ConflictError if another engine of this name is
        alive."""
        self._files.hold(engine)
        try:
            if not self._asking.do(lambda c: self._write(c, engine)):
                raise ConflictError(f"engine {engine} is alive in another process")
        except BaseException:
            if engine not in self._held:
                self._files.release(engine)
            raise
        self._held.add(engine)
        if self._thread is None or not self._thread.is_alive():
            self._end = threading.Event()
            self._thread = threading.Thread(
                target=self._renew, args=(self._end,), name="lease", daemon=True
            )
            self._thread.start()

    def release(self, engine: str) -> None:
        """Give the lease back. Without the server it just runs out."""
        self._held.discard(engine)
        if not self._held:
            self._stop()
        with suppress(StoreUnavailableError):
            self._asking.do(lambda c: c.execute(_RELEASE, (engine,)))
        self._files.release(engine)

    def alive(self, engine: str) -> bool:
        """Whether the lease holds; at once false when its process is seen to be gone."""
        return engine in self._living(engine)

    def living(self) -> list[str]:
        """Every engine whose lease holds."""
        return self._living(None)

    def _living(self, engine: str | None) -> list[str]:
        rows = self._asking.do(
            lambda c: c.execute(_ALIVE, (engine or "", engine is None)).fetchall()
        )
        return [name for name, home, mark in rows if not self._is_gone(name, Path(home), mark)]

    def _is_gone(self, engine: str, home: Path, mark: str) -> bool:
        """Whether the engine's home is in reach, and nobody holds its lock there."""
        if _mark_of(home) != mark:  # another machine's, whatever its path
            return False
        files = self._files if home == self._folder else FileLeases(home)
        return not files.alive(engine)

    def _write(self, connection: Connection, engine: str) -> bool:
        if not self._held:
            connection.execute(_FORGET)
        values = (
            engine, platform.node(), str(self._folder), _marked(self._folder), os.getpid(),
            self._ttl,
        )  # fmt: skip
        return connection.execute(_HOLD, values).rowcount == 1

    def _renew(self, end: threading.Event) -> None:
        """Renew what is held, a little sooner than needed; after a failure as soon as possible."""
        pause = self._ttl / 3
        while not end.wait(pause):
            try:
                self._renewing.do(self._renew_all)
            except StoreError:
                pause = self._ttl / 20
            else:
                pause = self._ttl / 3
        self._renewing.close()

    def _renew_all(self, connection: Connection) -> None:
        for engine in tuple(self._held):
            if connection.execute(_RENEW, (engine,)).rowcount == 0 and engine in self._held:
                self._write(connection, engine)

    def _stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self._end.set()
            thread.join(_JOIN)

    def close(self) -> None:
        """Close the connections; leases that are held run out."""
        self._stop()
        self._asking.close()


class _Line:
    """One connection, opened when it is first needed, and anew after it was lost."""

    def __init__(self, url: str, ttl: float) -> None:
        self._address = Address(url)
        self._timeout = max(2, round(ttl / 2))
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def do(self, work: Callable[[Connection], T]) -> T:
        """Do some work, a second time if the connection turns out to be lost."""
        import psycopg

        with self._lock:
            for last in (False, True):
                try:
                    return work(self._open())
                except (psycopg.OperationalError, psycopg.InterfaceError, StoreUnavailableError):
                    self._drop()
                    if last:
                        raise _away() from None
                except psycopg.errors.UndefinedTable:  # no engine has ever been here
                    return work(self._with_table())
                except psycopg.Error as error:
                    raise StoreError(
                        f"leases can't be kept: {error.diag.message_primary}"
                    ) from None
            raise AssertionError

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = self._address.connect(
                connect_timeout=self._timeout,
                keepalives_idle=self._timeout,
                tcp_user_timeout=1000 * self._timeout,
                application_name="mainspring leases",
            )
            connection.execute(f"SET statement_timeout = {1000 * self._timeout}")
            self._connection = connection
        return self._connection

    def _with_table(self) -> Connection:
        connection = self._open()
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            if not self._address.own_schema:
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            connection.execute(_TABLE)
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        with self._lock:
            self._drop()


def _away() -> StoreUnavailableError:
    return StoreUnavailableError(
        "the store's server does not answer",
        hint="see whether PostgreSQL is up and can be reached from here",
    )


def _mark_of(folder: Path) -> str | None:
    """What tells a home from every other, whatever path it is seen under."""
    try:
        return (folder / _MARK).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _marked(folder: Path) -> str:
    found = _mark_of(folder)
    if found:
        return found
    mark, temporary = secrets.token_hex(16), folder / f"{_MARK}.{secrets.token_hex(4)}"
    temporary.write_text(mark, "utf-8")
    try:
        with suppress(FileExistsError):
            os.link(temporary, folder / _MARK)
    finally:
        temporary.unlink()
    return _mark_of(folder) or mark
