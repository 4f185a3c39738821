"""The metadata store in PostgreSQL: the same nouns as in SQLite, on a server that many share."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from mainspring.records.errors import StoreError
from mainspring.records.plan import Cached
from mainspring.storage.decisions import broken_links
from mainspring.storage.postgres_connection import Address
from mainspring.storage.postgres_schema import prepare
from mainspring.storage.postgres_session import (
    READ_PATIENCE,
    PostgresReadSession,
    PostgresWriteSession,
)
from mainspring.storage.reader import StoreReader
from mainspring.storage.statements import statements
from mainspring.storage.transaction import StoreTransaction

_COMPUTING = statements("tasks", "queue")["computing"]
_ANY = 1 << 62


class PostgresReader(StoreReader):
    """Reads what is committed (records.stores.Reader)."""

    def version(self) -> int:
        # The snapshot's own text: it differs once anybody has begun or ended a transaction.
        sql = "SELECT hashtextextended(pg_current_snapshot()::text, 0)"
        return self._db.rows(sql)[0][0]


class PostgresTransaction(StoreTransaction):
    """One atomic set of changes (records.stores.Transaction).

    Transactions that move different runs go on at once; what they share is guarded one by one:
    keys that are computed (`claim_key`), chains of decisions, ids of tasks.
    """

    def __init__(self, db: PostgresWriteSession) -> None:
        super().__init__(db)
        self._seen: dict[str, int] = {}

    def begun(self) -> None:
        """Forget what the transaction before this one has seen."""
        self._seen.clear()

    def lookup(self, key: str) -> Sequence[Cached]:
        found = super().lookup(key)
        self._seen[key] = len(found)
        return found

    def computing(self, key: str) -> str | None:
        rows = self._db.rows(_COMPUTING, (key, self._seen.get(key, _ANY)))
        return rows[0][0]


class PostgresStore:
    """Implements records.stores.Store in the database at `url`; docs/guide/postgresql.md.

    Tables that are missing are made. An older format is refused unless `migrate`, a newer one
    always. Raises StoreError, StoreUnavailableError.
    """

    def __init__(self, url: str, *, migrate: bool = False) -> None:
        self.address = Address(url)
        prepare(self.address, READ_PATIENCE, migrate=migrate)
        self._reading = PostgresReadSession(self.address)
        self._writing = PostgresWriteSession(self.address)
        self._reader = PostgresReader(self._reading)
        self._transaction = PostgresTransaction(self._writing)

    @property
    def read(self) -> PostgresReader:
        return self._reader

    def write(self, runs: Sequence[str] = ()) -> _Write:
        return _Write(self._writing, self._transaction, runs)

    def close(self) -> None:
        self._reading.close()
        self._writing.close()

    def integrity(self) -> list[str]:
        """What is wrong with the records, by what docs/protocol.md says must hold; often slow."""
        try:
            faults: list[str] = []
            for sql in statements("integrity").values():
                faults.extend(row[0] for row in self._reading.rows(sql))
            return faults + broken_links(self._reading)
        except StoreError as error:
            return [error.what]


class _Write:
    """Commits when its block ends, undoes when it raises."""

    __slots__ = ("_runs", "_session", "_transaction")

    def __init__(
        self, session: PostgresWriteSession, transaction: PostgresTransaction, runs: Sequence[str]
    ) -> None:
        self._session = session
        self._transaction = transaction
        self._runs = runs

    def __enter__(self) -> PostgresTransaction:
        self._session.begin(self._runs)
        self._transaction.begun()
        return self._transaction

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.end(commit=kind is None)
