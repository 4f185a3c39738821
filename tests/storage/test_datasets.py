"""Datasets in both databases: damage is found, and two who add at once follow one another."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from tests.contracts.store_builders import dataset_version
from tests.services.postgres import Postgres

from mainspring.storage.postgres import PostgresStore
from mainspring.storage.sqlite import SqliteStore


def test_a_number_that_was_never_given_is_a_fault(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    with store.write() as tx:
        tx.add_dataset_version(dataset_version())
    assert store.integrity() == []
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE dataset_versions SET number = 5")
    connection.close()
    assert store.integrity() == ["digits@v5: the last number that was given is 1"]
    store.close()


@pytest.mark.system("postgres")
def test_two_who_add_at_once_follow_one_another(postgres: Postgres) -> None:
    url = postgres.new_database()
    stores = PostgresStore(url), PostgresStore(url)
    seen: list[int] = []

    def second() -> None:
        with stores[1].write() as tx:
            newest = tx.newest_dataset_version("digits")
            assert newest is not None
            seen.append(newest.number)

    with stores[0].write() as tx:
        assert tx.newest_dataset_version("digits") is None
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        assert seen == []
        tx.add_dataset_version(dataset_version())
    thread.join(20)
    assert seen == [1]
    for store in stores:
        store.close()
