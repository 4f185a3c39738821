"""Metrics in SQLite: summaries that stay true over batches, and numbers that JSON has not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contracts.store_builders import figure, filled, new, start

from mainspring.records.metrics import Point
from mainspring.storage.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db")
    yield store
    store.close()


def point(value: float, step: float | None = None, name: str = "loss", at: float = 1.0) -> Point:
    return Point(name=name, value=value, step=step, at=at)


FLOATS = st.floats().map(lambda value: value + 0.0)  # SQLite knows no -0.0


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(FLOATS, min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_summary_is_that_of_all_its_points(tmp_path: Path, batches: list[list[float]]) -> None:
    store = SqliteStore(tmp_path / "store.db")
    try:
        run = f"r{len(store.read._db.rows('SELECT id FROM runs'))}"
        (task,) = filled(store, new("a"), run=run)
        for offset, batch in enumerate(batches):
            with store.write() as tx:
                tx.add_points(run, task, f"{run}.1", [point(v) for v in batch], offset)
        every = [value for batch in batches for value in batch]
        known = [value for value in every if not math.isnan(value)]
        (found,) = store.read.metrics(run)
        assert found.count == len(every)
        assert repr(found.last) == repr(every[-1])
        assert repr(found.minimum) == repr(min(known, default=math.nan))
        assert repr(found.maximum) == repr(max(known, default=math.nan))
        points = store.read.points(run, "a", "loss")
        assert [repr(p.value) for p in points] == [repr(value) for value in every]
    finally:
        store.close()


def test_series_of_one_batch_are_kept_apart(store: SqliteStore) -> None:
    (task,) = filled(store, new("a"))
    batch = [point(1.0, 0), point(5.0, None, "acc"), point(0.5, 1, at=2.0)]
    with store.write() as tx:
        tx.add_points("r1", task, "a1", batch, 10)
    found = {metric.name: metric for metric in store.read.metrics("r1")}
    assert (found["loss"].count, found["loss"].last, found["loss"].step) == (2, 0.5, 1)
    assert (found["acc"].count, found["acc"].step) == (1, None)
    assert store.read.points("r1", "a", "loss") == [batch[0], batch[2]]
    assert store.read.points("r1", "a", "nope") == []
    assert store.read.points("r1", "b", "loss") == []
    assert store.read.points("r2", "a", "loss") == []


def test_the_offset_is_kept_with_the_points(store: SqliteStore) -> None:
    (task,) = filled(store, new("a"))
    with store.write() as tx:
        assert start(tx, task)
        assert tx.points_offset("a1") == 0
        tx.add_points("r1", task, "a1", [point(1.0)], 77)
        assert tx.points_offset("a1") == 77
        assert tx.points_offset("nope") == 0

    def half() -> None:
        with store.write() as tx:
            tx.add_points("r1", task, "a1", [point(2.0)], 99)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    with store.write() as tx:
        assert tx.points_offset("a1") == 77
    assert [p.value for p in store.read.points("r1", "a", "loss")] == [1.0]


def test_media_are_listed_by_run(store: SqliteStore) -> None:
    (task,) = filled(store, new("train"))
    (other,) = filled(store, new("train"), run="r2")
    table = msgspec.structs.replace(figure(), name="rows", kind="table", step=None)
    with store.write() as tx:
        tx.add_media("r1", task, [figure(), table])
        tx.add_media("r2", other, [])
    assert store.read.media("r1") == [figure(), table]
    assert store.read.media("r2") == []
