"""Results: which of two differ, and where; what is remembered of a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contracts.store_builders import STATIC, a_run, cached, filled, new, ref

from mainspring.records.status import TaskStatus
from mainspring.storage.results import comparable, differing
from mainspring.storage.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db")
    yield store
    store.close()


@pytest.mark.parametrize(
    ("one", "other", "names"),
    [
        ({}, {}, []),
        ({"a": ref("1")}, {"a": ref("1")}, []),
        ({"a": ref("1")}, {"a": ref("2")}, ["a"]),
        ({"a": ref("1")}, {"b": ref("1")}, ["a", "b"]),
        ({"a": ref("1"), "b": ref("2")}, {"b": ref("2")}, ["a"]),
        # The same bytes: how a type is called is no difference.
        ({"a": ref("1", type="int")}, {"a": ref("1", type="float")}, []),
    ],
)
def test_what_differs(one: dict, other: dict, names: list[str]) -> None:
    assert differing(one, other) == names


PURE = {"impure": (), "reads": {"data.csv": "blake3:d"}}


def test_what_may_be_compared() -> None:
    first = cached(run="r1", **PURE)
    other_file = cached(run="r2", impure=(), reads={"data.csv": "blake3:e"})
    impure = cached(run="r3", impure=("clock",), reads=PURE["reads"])
    assert comparable([], first) is None
    assert comparable([first], cached(run="r9", **PURE)) == first
    assert comparable([impure, other_file, first], cached(run="r9", **PURE)) == first
    assert comparable([first], other_file) is None
    assert comparable([first], impure) is None
    assert comparable([impure], first) is None


def test_a_divergence_is_from_the_first_result(store: SqliteStore) -> None:
    for run in ("r1", "r2", "r3", "r4"):
        filled(store, run=run)
    with store.write() as tx:
        assert tx.add_result(cached(run="r1", digest="1", **PURE)) is None
        assert tx.add_result(cached(run="r2", digest="2", **PURE)) == "r1/train"
        assert tx.add_result(cached(run="r3", digest="1", **PURE)) is None
        assert tx.add_result(cached(run="r4", digest="2", **PURE)) == "r1/train"
        assert tx.add_result(cached(key="other", run="r4", digest="9", **PURE)) is None
    assert [store.read.divergences(f"r{i}") for i in range(1, 5)] == [
        [], [("train", "result", "r1/train")], [], [("train", "result", "r1/train")],
    ]  # fmt: skip
    assert [found.run for found in store.read.lookup("k")] == ["r1", "r2", "r3", "r4"]
    assert store.read.lookup("none") == []


def test_a_transaction_sees_its_own_results(store: SqliteStore) -> None:
    filled(store)
    with store.write() as tx:
        tx.add_result(cached())
        assert [found.run for found in tx.lookup("k")] == ["r1"]
        assert store.read.lookup("k") == []
    assert len(store.read.lookup("k")) == 1


def test_key_parts_need_a_key_and_a_static_part(store: SqliteStore) -> None:
    reused = new("a", TaskStatus.REUSED, key="key:1", static="blake3:s", seed=2**63,
                 inputs={"x": ("json:1", "1")})  # fmt: skip
    ids = filled(store, reused, new("b"), new("c", TaskStatus.REUSED, key="k", static="blake3:no"))
    with store.write() as tx:
        tx.add_static("blake3:s", STATIC)
        tx.add_static("blake3:s", STATIC)  # it may be there already
    found = store.read.key_parts(ids[0])
    assert found is not None
    assert (found.run, found.path, found.key, found.seed) == ("r1", "a", "key:1", 2**63)
    assert (found.static, found.inputs) == (STATIC, {"x": ("json:1", "1")})
    assert [store.read.key_parts(task) for task in ids[1:]] == [None, None]


def test_the_previous_key_is_of_the_same_pipeline_and_path(store: SqliteStore) -> None:
    task = new("a", TaskStatus.REUSED, key="key:1", static="blake3:s")
    filled(store, task, run="old", created=1.0)
    filled(store, task, run="new", created=2.0)
    filled(store, task, run="other", created=3.0, pipeline="else")
    filled(store, new("a"), run="newest", created=4.0)
    with store.write() as tx:
        tx.add_static("blake3:s", STATIC)
        found = tx.previous(a_run().pipeline, "a")
    assert found is not None
    assert found.run == "new"
    assert store.read.previous(a_run().pipeline, "b") is None
    assert store.read.previous("nothing", "a") is None
