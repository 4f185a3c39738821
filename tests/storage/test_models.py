"""Models in both databases: nothing of them is rewritten, damage is found, adders take turns."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from tests.contracts.store_builders import model_version
from tests.services.postgres import Postgres

from mainspring.records.models import AliasMove
from mainspring.storage.postgres import PostgresStore
from mainspring.storage.postgres_connection import Address
from mainspring.storage.sqlite import SqliteStore

REWRITES = (
    "UPDATE model_versions SET licence = 'mine'",
    "UPDATE model_aliases SET number = 2",
    "DELETE FROM model_aliases",
)


def filled(store: SqliteStore | PostgresStore) -> None:
    with store.write() as tx:
        tx.add_model_version(model_version())
        tx.move_alias(AliasMove(model="bert", alias="prod", number=1, at=1.0))


@pytest.mark.parametrize("sql", REWRITES)
def test_history_is_not_rewritten_in_a_file(tmp_path: Path, sql: str) -> None:
    store = SqliteStore(tmp_path / "store.db")
    filled(store)
    with sqlite3.connect(store.path) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(sql)
    connection.close()
    store.close()


@pytest.mark.system("postgres")
@pytest.mark.parametrize("sql", [*REWRITES, "TRUNCATE model_aliases"])
def test_history_is_not_rewritten_on_a_server(postgres: Postgres, sql: str) -> None:
    import psycopg

    url = postgres.new_database()
    store = PostgresStore(url)
    filled(store)
    with Address(url).connect() as connection, pytest.raises(psycopg.errors.IntegrityError):
        connection.execute(sql)
    store.close()


def test_a_number_that_was_never_given_is_a_fault(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    filled(store)
    assert store.integrity() == []
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE models SET last = 0")
    connection.close()
    assert store.integrity() == ["bert@v1: the last number that was given is 0"]
    store.close()


@pytest.mark.system("postgres")
def test_two_who_import_at_once_follow_one_another(postgres: Postgres) -> None:
    url = postgres.new_database()
    stores = PostgresStore(url), PostgresStore(url)
    seen: list[int] = []

    def second() -> None:
        with stores[1].write() as tx:
            newest = tx.newest_model_version("bert")
            assert newest is not None
            seen.append(newest.number)

    with stores[0].write() as tx:
        assert tx.newest_model_version("bert") is None
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        tx.add_model_version(model_version())
    thread.join(20)
    assert seen == [1]
    for store in stores:
        store.close()
