"""Tasks in SQLite: order, neighbours, and the words for a path that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contracts.store_builders import filled, new, ref

from mainspring.records.errors import ConflictError, NotFoundError, StoreError
from mainspring.records.status import TaskStatus
from mainspring.storage.sqlite import SqliteStore
from mainspring.storage.tasks import no_path, no_task


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db")
    yield store
    store.close()


def test_a_path_that_is_nearly_right() -> None:
    error = no_path("r1", "trian", ["train", "evaluate"])
    assert "'trian'" in error.what
    assert error.hint == "did you mean train?"
    assert no_path("r1", "zzz", ["train"]).hint == "`mainspring show r1` lists them"
    assert "7" in no_task(7).what


def test_the_nearest_path_is_named(store: SqliteStore) -> None:
    filled(store, new("train"), new("evaluate"))
    with pytest.raises(NotFoundError) as caught:
        store.read.find_task("r1", "evalute")
    assert caught.value.hint == "did you mean evaluate?"


def test_ids_go_on_over_runs_and_come_in_order(store: SqliteStore) -> None:
    first = filled(store, new("b"), new("a"))
    second = filled(store, new("a"), run="r2")
    assert [*first, *second] == [1, 2, 3]
    assert [task.path for task in store.read.tasks("r1")] == ["b", "a"]
    assert store.read.find_task("r2", "a").id == 3


def test_children_come_by_index_whatever_their_ids(store: SqliteStore) -> None:
    (parent,) = filled(store, new("m"))
    with store.write() as tx:
        tx.add_tasks(
            "r1",
            [new(f"m[{i}]", TaskStatus.REUSED, parent=parent, index=i, outputs={"x": ref(str(i))})
             for i in (2, 0, 1)],
        )  # fmt: skip
        found = list(tx.child_outputs(parent))
    assert found == [(i, TaskStatus.REUSED, {"x": ref(str(i))}) for i in range(3)]
    children = store.read.tasks("r1", parent=parent)
    assert {task.index for task in children} == {0, 1, 2}
    assert len(store.read.tasks("r1", parent=parent, limit=2)) == 2


def test_upstream_has_status_and_outputs_in_order(store: SqliteStore) -> None:
    outputs = {"z": ref("1"), "a": ref("2")}
    ids = filled(store, new("x", TaskStatus.REUSED, outputs=outputs),
                 new("y", TaskStatus.SKIPPED), new("t", TaskStatus.PENDING))  # fmt: skip
    with store.write() as tx:
        tx.add_edges([(ids[0], ids[2]), (ids[1], ids[2])])
        found = tx.upstream(ids[2])
        assert tx.tasks_by_path("r1", ["y", "nope", "x"]) == {
            "y": (ids[1], found["y"]), "x": (ids[0], found["x"]),
        }  # fmt: skip
        assert tx.tasks_by_path("r2", ["x"]) == {}
        assert tx.upstream(ids[0]) == {}
    assert list(found["x"].outputs.items()) == list(outputs.items())
    assert (found["y"].status, found["y"].outputs) == (TaskStatus.SKIPPED, {})


def test_what_the_database_refuses(store: SqliteStore) -> None:
    ids = filled(store, new("a"), new("b"))
    with pytest.raises((ConflictError, StoreError)), store.write() as tx:
        tx.add_tasks("r1", [new("a")])
    with pytest.raises((ConflictError, StoreError)), store.write() as tx:
        tx.add_edges([(ids[0], 99)])
    with pytest.raises(NotFoundError), store.write() as tx:
        tx.add_tasks("nope", [new("c")])
    assert [task.path for task in store.read.tasks("r1")] == ["a", "b"]
    assert store.read.edges("r1") == []


def test_counts_by_parent(store: SqliteStore) -> None:
    (parent, _) = filled(store, new("m", TaskStatus.OPEN), new("a"))
    with store.write() as tx:
        tx.add_tasks("r1", [new("m[0]", parent=parent), new("m[1]", parent=parent)])
    assert store.read.counts("r1") == {
        None: {TaskStatus.OPEN: 1, TaskStatus.READY: 1}, parent: {TaskStatus.READY: 2},
    }  # fmt: skip
    assert store.read.counts("nope") == {}
