"""Records are copied whole, there and back again, or not at all."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest
from tests.contracts.store_builders import (
    S,
    a_run,
    cached,
    dataset_version,
    figure,
    model_version,
    new,
    outcome,
    start,
    verdict,
)
from tests.services.postgres import Postgres

from mainspring.records.errors import ConflictError, StoreError
from mainspring.records.metrics import Point
from mainspring.records.models import AliasMove
from mainspring.records.stores import Store
from mainspring.storage.copying import TABLES, copy_store
from mainspring.storage.postgres import PostgresStore
from mainspring.storage.sqlite import SqliteStore

pytestmark = pytest.mark.system("postgres")
ODD = "NUL \0, right to left \u202e, private \uf8fe, 𝕌, quote ' and %s and \\N and \t"


def fill(store: Store) -> None:
    """Something in every table, with texts that a database could stumble over."""
    with store.write() as tx:
        tx.add_run(a_run("r1", reason=ODD, parameters={"x": math.inf, ODD: [None, ODD]}), b"\0{}")
        tx.add_run(a_run("r2", created=1.5e300), b"\0{}")
        first, second = tx.add_tasks("r1", [new("train"), new("join", S.PENDING, pending=1)])
        tx.add_edges([(first, second)])
        start(tx, first)
        tx.add_points("r1", first, "a1", [Point(name=ODD, value=math.nan, step=None, at=1.0)], 7)
        tx.add_points("r1", first, "a1", [Point(name=ODD, value=-math.inf, step=2.0, at=2.0)], 9)
        tx.add_media("r1", first, [figure()])
        tx.finish("a1", "e1", 1, outcome())
        tx.settle(first, S.SUCCEEDED, 9.0, outputs={ODD: cached().outputs["result"]}, reason=ODD)
        tx.add_result(cached(digest="1"))
        tx.add_result(cached(digest="2", run="r2", impure=()))
        tx.add_result(cached(digest="3", run="r2", impure=()))
        tx.add_verdict(verdict())
        tx.add_verdict(verdict(name=ODD))
        tx.add_dataset_version(dataset_version(message=ODD, profile="blake3:p"))
        tx.add_dataset_version(dataset_version("2", rows=3, pinned=True))
        tx.delete_dataset_version("digits", 1)
        tx.add_dataset_version(dataset_version(origin=ODD))
        tx.add_model_version(model_version(licence=ODD))
        tx.move_alias(AliasMove(model="bert", alias="prod", number=1, at=1.5))


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(path) as connection:
        found = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
    connection.close()
    return {table: sorted(rows, key=repr) for table, rows in found.items()}


def test_there_and_back_again(tmp_path: Path, postgres: Postgres) -> None:
    store = SqliteStore(tmp_path / "one.db")
    fill(store)
    store.close()
    url = postgres.new_database()
    counts = copy_store(str(tmp_path / "one.db"), url)
    assert counts["runs"] == 2
    assert counts["points"] == 2
    copy_store(url, postgres_copy := postgres.new_database())
    assert copy_store(postgres_copy, str(tmp_path / "two.db")) == counts
    assert contents(tmp_path / "one.db") == contents(tmp_path / "two.db")
    copied = PostgresStore(url)
    try:
        assert copied.read.run("r1").reason == ODD
        assert [fault for fault in copied.integrity() if "decision" in fault] == []
        fresh = a_run("r3")
        with copied.write() as tx:  # ids go on after those that were copied
            tx.add_run(fresh, b"{}")
            assert tx.add_tasks("r3", [new("a")])[0] > 2
            tx.add_verdict(verdict(run="r3"))
            tx.add_result(cached(run="r3"))
            assert tx.add_dataset_version(dataset_version()).number == 4
            assert tx.add_model_version(model_version()).number == 2
            tx.move_alias(AliasMove(model="bert", alias="prod", number=2, at=2.5))
    finally:
        copied.close()


def test_a_full_target_is_refused(tmp_path: Path, postgres: Postgres) -> None:
    store = SqliteStore(tmp_path / "one.db")
    fill(store)
    store.close()
    url = postgres.new_database()
    copy_store(str(tmp_path / "one.db"), url)
    with pytest.raises(ConflictError, match="not empty"):
        copy_store(str(tmp_path / "one.db"), url)
    copy_store(url, str(tmp_path / "two.db"))
    with pytest.raises(ConflictError, match="not empty"):
        copy_store(url, str(tmp_path / "two.db"))
    with pytest.raises(ConflictError, match="itself"):
        copy_store(url, url)
    with pytest.raises(StoreError, match="no store"):
        copy_store(str(tmp_path / "none.db"), str(tmp_path / "three.db"))
    with pytest.raises(StoreError, match="no store"):
        copy_store(postgres.new_database(), str(tmp_path / "three.db"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.db", "two.db"]


def test_a_copy_that_fails_leaves_nothing(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(tmp_path / "one.db")
    fill(store)
    store.close()
    url = postgres.new_database()
    monkeypatch.setattr("mainspring.storage.copying.TABLES", (*TABLES, "nothing"))
    with pytest.raises(StoreError):
        copy_store(str(tmp_path / "one.db"), url)
    with pytest.raises(StoreError):
        copy_store(str(tmp_path / "one.db"), str(tmp_path / "two.db"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.db"]
    monkeypatch.undo()
    assert copy_store(str(tmp_path / "one.db"), url)["runs"] == 2
