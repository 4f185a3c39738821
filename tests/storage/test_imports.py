"""What the contract of all stores (tests/contracts/store_imports.py) leaves to SQLite."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.contracts.store_imports import ORIGIN

from mainspring.records.errors import MainspringError
from mainspring.storage.sqlite import SqliteStore


def test_only_a_run_that_is_there_can_come_from_somewhere(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")

    def alone() -> None:
        with store.write() as tx:
            tx.add_import(ORIGIN)

    with pytest.raises(MainspringError):
        alone()
    assert store.read.imported("r1") is None
    store.close()
    connection = sqlite3.connect(store.path)
    assert connection.execute("SELECT count(*) FROM imports").fetchone() == (0,)
    connection.close()
