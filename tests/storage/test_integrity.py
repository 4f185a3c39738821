"""`integrity` finds what breaks the protocol, and decisions that were tampered with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contracts.store_builders import (
    S,
    filled,
    new,
    outcome,
    ref,
    start,
    verdict,
)

from mainspring.storage.sqlite import SqliteStore

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db")
    yield store
    store.close()


def test_decisions_can_only_be_appended(store: SqliteStore) -> None:
    filled(store)
    with store.write() as tx:
        tx.add_verdict(verdict())
    connection = sqlite3.connect(store.path)
    for change in ("DELETE FROM decisions", "UPDATE decisions SET body = '{}'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(change)
    connection.close()


def test_integrity_finds_a_changed_or_missing_decision(store: SqliteStore) -> None:
    filled(store)
    with store.write() as tx:
        for passed in (True, False, True):
            tx.add_verdict(verdict(passed=passed))
    assert store.integrity() == []
    connection = sqlite3.connect(store.path)
    connection.execute("DROP TRIGGER decisions_no_update")
    connection.execute("DROP TRIGGER decisions_no_delete")
    connection.execute("UPDATE decisions SET body = replace(body, 'true', 'false') WHERE id = 1")
    connection.execute("DELETE FROM decisions WHERE id = 2")
    connection.commit()
    connection.close()
    faults = store.integrity()
    assert len(faults) == 2
    assert "was changed" in faults[0]
    assert "is missing" in faults[1]


BREAKS = {
    "UPDATE tasks SET pending = 2 WHERE path = 'later'": "later: pending is 2, but it waits for 1",
    "UPDATE tasks SET status = 'ready', pending = 0 WHERE path = 'later'": "later: ready, but",
    "UPDATE tasks SET pending = 5 WHERE path = 'map'": "map: pending is 5, but its children",
    "UPDATE tasks SET status = 'ready' WHERE path = 'busy'": "busy: ready with 1 running",
    "UPDATE attempts SET status = 'lost' WHERE id = 'a2'": "busy: running with 0 running",
    "UPDATE attempts SET status = 'lost' WHERE id = 'a1'": "done: succeeded with 0 successful",
    "UPDATE tasks SET attempts = 0 WHERE path = 'done'": "done: has outputs, but no attempt",
    "UPDATE tasks SET source = NULL WHERE path = 'reused'": "reused: reused, but of no recorded",
    "UPDATE runs SET status = 'succeeded'": "r1: succeeded, but a task is not settled",
    "UPDATE tasks SET status = 'skipped', pending = 0 WHERE status NOT IN ('done', 'reused')": (
        "r1: running, but all of its tasks are settled"
    ),
    "INSERT INTO edges VALUES (1, 777)": "a row of edges names a row of tasks that is not there",
}


@pytest.mark.parametrize("change", BREAKS)
def test_integrity_finds_what_breaks_the_protocol(store: SqliteStore, change: str) -> None:
    [done, busy, top, later, _] = filled(
        store,
        new("done"),
        new("busy"),
        new("map"),
        new("later", S.PENDING, pending=1),
        new("reused", S.REUSED, source="r0/reused"),
    )
    with store.write() as tx:
        tx.add_edges([(done, later), (busy, later)])
        start(tx, done, "a1")
        tx.finish("a1", "e1", 1, outcome())
        tx.settle(done, S.SUCCEEDED, 1.0, outputs={"result": ref()})
        tx.task(later)
    with store.write() as tx:  # `later` was said to wait for one of its two: make that true
        start(tx, busy, "a2")
        tx.add_tasks("r1", [new("map[0]", parent=top, index=0)])
        tx.open(top, 3, 1, 3)
    connection = sqlite3.connect(store.path)
    connection.execute("UPDATE tasks SET status = 'pending', pending = 1 WHERE path = 'later'")
    connection.execute("UPDATE runs SET status = 'running'")
    connection.commit()
    assert store.integrity() == []
    connection.execute(change)
    connection.commit()
    connection.close()
    faults = store.integrity()
    assert any(BREAKS[change] in fault for fault in faults), faults
