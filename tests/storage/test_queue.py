"""The queue in SQLite: who is ready, who waits for whom, and what a second move changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contracts.store_builders import attempt, filled, new, outcome, start, states

from mainspring.records.errors import ConflictError
from mainspring.records.status import AttemptStatus, TaskStatus, Wish
from mainspring.storage.queue import FEW, not_movable
from mainspring.storage.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db")
    yield store
    store.close()


def test_those_left_out_do_not_use_up_the_limit(store: SqliteStore) -> None:
    ids = filled(store, *(new(f"t{i}") for i in range(6)))
    with store.write() as tx:
        found = tx.ready(["r1"], 1.0, 2, skip=ids[:3])
        assert [task.id for task in found] == ids[3:5]
        assert tx.ready(["r1"], 1.0, 5, skip=ids) == []
        assert tx.ready([], 1.0, 5) == []
        assert tx.ready(["nope"], 1.0, 5) == []


def test_of_several_runs_the_oldest_tasks_come_first(store: SqliteStore) -> None:
    first = filled(store, new("a"), new("b"), run="r1")
    second = filled(store, new("a"), run="r2")
    with store.write() as tx:
        assert [t.id for t in tx.ready(["r2", "r1"], 1.0, 9)] == [*first, *second]
        assert [t.id for t in tx.ready(["r2", "r1"], 1.0, 2)] == first
        tx.set_wish("r1", Wish.PAUSE)
        assert [t.id for t in tx.ready(["r2", "r1"], 1.0, 9)] == second


def test_when_the_next_one_may_start(store: SqliteStore) -> None:
    ids = filled(store, new("a"), new("b"))
    with store.write() as tx:
        assert tx.next_ready(["r1"]) == 0.0
        for number, (task, at) in enumerate(zip(ids, (50.0, 20.0), strict=True)):
            assert start(tx, task, f"a{number}")
            tx.finish(f"a{number}", "e1", 1, outcome(f"a{number}", AttemptStatus.FAILED))
            tx.again(task, at, tries=1, lost=0)
        assert tx.next_ready(["r1"]) == 20.0
        assert [t.id for t in tx.ready(["r1"], 30.0, 9)] == [ids[1]]
        tx.set_wish("r1", Wish.PAUSE)
        assert tx.next_ready(["r1"]) is None
        assert tx.next_ready([]) is None


def test_a_key_that_is_being_computed(store: SqliteStore) -> None:
    ids = filled(store, new("a"), new("b"), new("c"))
    (other,) = filled(store, new("a"), run="r2")
    with store.write() as tx:
        assert start(tx, ids[0], key="key:1")
        assert tx.computing("key:1") == "r1/a"
        assert tx.computing("key:2") is None
        tx.park(ids[1], "r1/a computes the same", "key:1")
        tx.park(other, "r1/a computes the same", "key:1")
        tx.park(ids[2], "the world", None)
        assert tx.wake("key:2") == 0
        tx.settle(ids[0], TaskStatus.SUCCEEDED, 9.0)
        assert tx.computing("key:1") is None
        assert tx.wake("key:1") == 2
        assert tx.wake("key:1") == 0
    assert [states(store)[path][0] for path in "abc"] == ["succeeded", "ready", "waiting"]
    assert states(store, "r2")["a"][0] == "ready"


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_only_whoever_holds_the_attempt_may_end_it(store: SqliteStore, epoch: int) -> None:
    (task,) = filled(store, new("a"))
    with store.write() as tx:
        assert start(tx, task)
        assert [a.epoch for a in tx.take_over(["e1", "e0"], "e2")] == [2]
        assert tx.take_over(["e1"], "e3") == []
        found = tx.finish("a1", "e2", epoch, outcome())
        assert (found is not None) == (epoch == 2)
        assert tx.finish("a1", "e1", 1, outcome()) is None
        if found is not None:
            assert tx.finish("a1", "e2", 2, outcome()) is None  # once


def test_a_settled_task_stays_as_it_is(store: SqliteStore) -> None:
    ids = filled(store, new("a"), new("b", TaskStatus.PENDING, pending=1))
    with store.write() as tx:
        tx.add_edges([(ids[0], ids[1])])
        assert tx.settle(ids[0], TaskStatus.SKIPPED, 1.0, reason="first")
        assert not tx.settle(ids[0], TaskStatus.FAILED, 2.0, reason="second")
        for move in (
            lambda: tx.park(ids[0], "x", None),
            lambda: tx.again(ids[0], None, tries=0, lost=0),
            lambda: tx.open(ids[0], 1, 1, 1),
        ):
            with pytest.raises(ConflictError, match=f"task {ids[0]} is not"):
                move()
    assert states(store) == {"a": ("skipped", 0), "b": ("ready", 0)}
    assert store.read.find_task("r1", "a").reason == "first"


def test_a_task_that_is_running_is_not_begun_again(store: SqliteStore) -> None:
    (task,) = filled(store, new("a"))
    with store.write() as tx:
        assert start(tx, task, "a1")
        assert not start(tx, task, "a2")
        assert [a.id for a in tx.running(["r1", "r2"])] == ["a1"]
    assert [a.id for a in store.read.attempts(task)] == ["a1"]
    assert store.read.running_attempts("r1") == [attempt(task)]


def test_a_map_is_due_when_few_of_its_children_are_ready(store: SqliteStore) -> None:
    (parent,) = filled(store, new("m"))
    with store.write() as tx:
        tx.open(parent, 2 * FEW, 0, 2 * FEW)
        ids = tx.add_tasks("r1", [new(f"m[{i}]", parent=parent, index=i) for i in range(FEW)])
        tx.open(parent, 2 * FEW, FEW, 2 * FEW)
        assert tx.open_maps(["r1"]) == []
        tx.settle(ids[0], TaskStatus.SUCCEEDED, 1.0)
        assert [task.id for task in tx.open_maps(["r1"])] == [parent]
        assert tx.open_maps(["r2"]) == []
        tx.open(parent, 2 * FEW, 2 * FEW, 5)
        assert tx.open_maps(["r1"]) == []


def test_the_words_of_a_refusal() -> None:
    assert not_movable(7, "ready").what == "task 7 is not ready any more"
