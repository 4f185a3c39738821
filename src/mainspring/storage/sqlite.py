"""The metadata store in one SQLite file: nouns composed into a reader and a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from mainspring.records.errors import StoreError
from mainspring.storage.database import ReadSession, WriteSession
from mainspring.storage.decisions import broken_links
from mainspring.storage.reader import StoreReader
from mainspring.storage.schema import prepare
from mainspring.storage.sessions import PATIENCE
from mainspring.storage.statements import statements
from mainspring.storage.transaction import StoreTransaction


class SqliteReader(StoreReader):
    """Reads what is committed (records.stores.Reader)."""

    def version(self) -> int:
        return self._db.rows("PRAGMA data_version")[0][0]


class SqliteStore:
    """The embedded metadata store (records.stores.Store); docs/reference/database.md.

    The file is made if it is missing. One of an older format is refused unless `migrate`, one of
    a newer format always. `patience` is how many seconds to wait while others keep it busy.
    """

    def __init__(self, path: Path, *, migrate: bool = False, patience: float = PATIENCE) -> None:
        prepare(path, migrate=migrate)
        self.path = path
        self._reading = ReadSession(path, patience)
        self._writing = WriteSession(path, patience)
        self._reader = SqliteReader(self._reading)
        self._transaction = StoreTransaction(self._writing)

    @property
    def read(self) -> SqliteReader:
        return self._reader

    def write(self, runs: Sequence[str] = ()) -> _Write:  # noqa: ARG002 (one writer at a time)
        return _Write(self._writing, self._transaction)

    def close(self) -> None:
        self._reading.close()
        self._writing.close()

    def integrity(self) -> list[str]:
        """What is wrong with the file, or with what docs/protocol.md says must hold; often slow."""
        try:
            found = [row[0] for row in self._reading.rows("PRAGMA integrity_check")]
            faults = [text for text in found if text != "ok"]
            for table, _, parent, _ in self._reading.rows("PRAGMA foreign_key_check"):
                faults.append(f"a row of {table} names a row of {parent} that is not there")
            for sql in statements("integrity").values():
                faults.extend(row[0] for row in self._reading.rows(sql))
            return faults + broken_links(self._reading)
        except StoreError as error:
            return [error.what]


class _Write:
    """Commits when its block ends, undoes when it raises."""

    __slots__ = ("_session", "_transaction")

    def __init__(self, session: WriteSession, transaction: StoreTransaction) -> None:
        self._session = session
        self._transaction = transaction

    def __enter__(self) -> StoreTransaction:
        self._session.begin()
        return self._transaction

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.end(commit=kind is None)
