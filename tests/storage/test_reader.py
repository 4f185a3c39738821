"""The reader as a whole: every blob that the store speaks of, and when to look again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contracts.store_builders import a_run, cached, figure, filled, new, ref

from mainspring.records.status import TaskStatus
from mainspring.storage.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db")
    yield store
    store.close()


def test_every_place_that_names_a_blob_is_looked_at(store: SqliteStore) -> None:
    """`gc` deletes what is not named here: a place that is forgotten loses data."""
    assert store.read.referenced() == set()
    reused = new("a", TaskStatus.REUSED, outputs={"x": ref("output")})
    (task,) = filled(store, reused, snapshot="blake3:source")
    assert store.read.referenced() == {"blake3:source", "blake3:output"}
    with store.write() as tx:
        tx.add_result(cached(digest="cached"))
        tx.add_media("r1", task, [figure()])
    assert store.read.referenced() == {
        "blake3:source", "blake3:output", "blake3:cached", "blake3:png",
    }  # fmt: skip


def test_a_deleted_run_lets_go_of_its_blobs(store: SqliteStore) -> None:
    filled(store, new("a", TaskStatus.REUSED, outputs={"x": ref("one")}), snapshot="blake3:s1")
    filled(store, new("a", TaskStatus.REUSED, outputs={"x": ref("two")}), run="r2",
           snapshot="blake3:s2")  # fmt: skip
    with store.write() as tx:
        tx.add_result(cached(digest="cached"))
        tx.delete_run("r1")
    assert store.read.referenced() == {"blake3:s2", "blake3:two"}


def test_another_connections_commit_is_seen(store: SqliteStore) -> None:
    before = store.read.version()
    assert store.read.version() == before
    other = SqliteStore(store.path)
    with other.write() as tx:
        tx.add_run(a_run("r9"), b"{}")
    other.close()
    assert store.read.version() != before
    assert store.read.find_run("r9").id == "r9"
