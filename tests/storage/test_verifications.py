"""A verification's record that was damaged is refused by name; the rest is in the contract."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.contracts.store_builders import filled
from tests.contracts.store_verifications import verification

from mainspring.records.errors import StoreError
from mainspring.storage.sqlite import SqliteStore


def test_a_damaged_body_is_no_bug(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    filled(store)
    with store.write() as tx:
        tx.add_verification(verification())
    connection = sqlite3.connect(store.path)
    connection.execute("UPDATE verifications SET body = replace(body, 'differs', 'perhaps')")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="can't be read"):
        store.read.verifications("r1")
    store.close()
