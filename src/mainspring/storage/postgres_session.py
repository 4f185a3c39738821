"""Statements on PostgreSQL: reading what is committed, and one transaction at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Any

from mainspring.records.errors import StoreError, StoreUnavailableError
from mainspring.storage.postgres_connection import Address, Line, driver, explain
from mainspring.storage.postgres_sql import inward, outward, placeholders, translated
from mainspring.storage.sessions import ChangeSession, Row, Session, Values
from mainspring.storage.statements import versions

READ_PATIENCE = 5.0
"""Seconds for which a read is tried again while the server is away."""

BEGIN_PATIENCE = 1.0
"""Likewise for the beginning of a transaction: an engine waits by itself, and says so."""

_FEW = 8  # rows of `many` that travel with the next statement

_LOCK = versions("postgres", "runs")["lock"]


class PostgresReadSession(Session):
    """Reads what is committed. Threads share it; each statement sees one state of the store."""

    def __init__(self, address: Address) -> None:
        self._line = Line(address)
        self._lock = threading.Lock()

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        psycopg = driver()
        deadline = 0.0
        while True:
            try:
                with self._lock:
                    connection = self._line.open(READ_PATIENCE)
                    return inward(connection.execute(translated(sql), outward(values)).fetchall())
            except psycopg.Error as error:
                found = explain(error, str(self._line.address))
                deadline = deadline or monotonic() + READ_PATIENCE
                if not isinstance(found, StoreUnavailableError) or monotonic() > deadline:
                    raise found from error
                with self._lock:
                    self._line.drop()

    def close(self) -> None:
        with self._lock:
            self._line.close()


class PostgresWriteSession(ChangeSession):
    """One transaction at a time, over one connection that opens when it is first needed.

    READ COMMITTED, after a lock on the runs that the transaction moves. After a statement has
    failed nothing more is done, and the transaction is undone whatever its caller makes of it.
    What `later` was given is sent in one packet with the next statement (a pipeline): a turn's cost
    on a network is its round trips.
    """

    def __init__(self, address: Address) -> None:
        self._line = Line(address)
        self._lock = threading.Lock()
        self._owner = 0
        self._connection: Any = None
        self._broken: str = ""
        self._queue: list[tuple[str, Values]] = []

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        cursor = self._run(translated(sql), outward(values))
        return inward(cursor.fetchall())

    def change(self, sql: str, values: Values = ()) -> int:
        return self._run(translated(sql), outward(values)).rowcount

    def later(self, sql: str, values: Values = ()) -> None:
        self._usable()
        self._queue.append((translated(sql), outward(values)))

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        """Run a statement for each row of values, without waiting for each."""
        connection = self._usable()
        given = [outward(row) for row in rows]
        if len(given) <= _FEW:
            self._queue += [(translated(sql), row) for row in given]
            return
        psycopg = driver()
        try:
            with connection.pipeline(), connection.cursor() as cursor:
                self._send_queue(connection)
                cursor.executemany(translated(sql), given)
        except psycopg.Error as error:
            raise self._failed(error) from error

    def _run(self, sql: str, values: Values) -> Any:
        connection = self._usable()
        psycopg = driver()
        try:
            return self._execute(connection, sql, values)
        except psycopg.Error as error:
            raise self._failed(error) from error

    def _execute(self, connection: Any, sql: str, values: Values = ()) -> Any:
        """Run what is queued, and this; the cursor of this. Nothing comes after a failure."""
        if not self._queue:
            return connection.execute(sql, values)
        with connection.pipeline():
            self._send_queue(connection)
            return connection.execute(sql, values)

    def _send_queue(self, connection: Any) -> None:
        queue, self._queue = self._queue, []
        for sql, values in queue:
            connection.execute(sql, values)

    def _usable(self) -> Any:
        if self._broken:
            raise StoreError(self._broken)
        if self._connection is None:
            raise StoreError("a transaction was used outside of its block")
        return self._connection

    def _failed(self, error: Any) -> Exception:
        self._broken = "the transaction was undone: a statement had failed"
        return explain(error, str(self._line.address))

    def begin(self, runs: Sequence[str] = ()) -> None:
        """Begin, and wait until no other transaction moves these runs."""
        if self._owner == threading.get_ident():
            raise StoreError("a transaction is already open in this thread")
        self._lock.acquire()
        try:
            self._begin(sorted(set(runs)))
        except BaseException:
            self._line.drop()
            self._lock.release()
            raise
        self._owner = threading.get_ident()

    def _begin(self, runs: Sequence[str]) -> None:
        psycopg = driver()
        deadline = monotonic() + BEGIN_PATIENCE
        while True:
            connection = self._line.open(BEGIN_PATIENCE)
            try:
                if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    connection.execute("ROLLBACK")  # an interrupt came before its owner's block
                with connection.pipeline():
                    connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
                    if runs:
                        connection.execute(placeholders(_LOCK), (runs,))
                break
            except psycopg.Error as error:
                found = explain(error, str(self._line.address))
                self._line.drop()
                if not isinstance(found, StoreUnavailableError) or monotonic() > deadline:
                    raise found from error
        self._broken = ""
        self._queue = []
        self._connection = connection

    def end(self, commit: bool) -> None:
        """Commit (durable when this returns) or undo.

        Raises StoreUnavailableError if nobody can say whether it was committed.
        """
        psycopg = driver()
        connection, self._connection = self._connection, None
        broken, self._broken = self._broken, ""
        try:
            if not connection.closed:
                if commit and not broken:
                    self._execute(connection, "COMMIT")
                else:
                    connection.execute("ROLLBACK")
            elif commit and not broken:
                raise StoreUnavailableError("the store was lost", where=str(self._line.address))
        except psycopg.Error as error:
            self._line.drop()
            if commit:
                raise explain(error, str(self._line.address)) from error
        finally:
            self._owner = 0
            self._lock.release()
        if commit and broken:
            raise StoreError(broken)

    def close(self) -> None:
        self._line.close()
