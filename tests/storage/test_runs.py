"""Naming runs: by id, by beginning, by `latest`; never the wrong one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contracts.store_builders import a_run, filled, new

from mainspring.records.errors import NotFoundError
from mainspring.records.status import RunStatus, Wish
from mainspring.records.stores import RunFilter
from mainspring.storage.runs import pick_run
from mainspring.storage.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db")
    yield store
    store.close()


def test_an_exact_id_wins_over_longer_ones() -> None:
    runs = [a_run("r12"), a_run("r1"), a_run("r13")]
    assert pick_run("r1", runs).id == "r1"
    assert pick_run("r12", runs[:1]).id == "r12"
    assert pick_run("r", [runs[2]]).id == "r13"


@pytest.mark.parametrize(("text", "runs"), [("x", []), ("", ["r1"]), ("", [])])
def test_nothing_is_picked_by_chance(text: str, runs: list[str]) -> None:
    with pytest.raises(NotFoundError, match="no run") as caught:
        pick_run(text, [a_run(name) for name in runs])
    assert caught.value.hint is not None


def test_an_ambiguous_beginning_names_some() -> None:
    with pytest.raises(NotFoundError, match=r"r0, r1, r2, r3, r4, \.\.\.") as caught:
        pick_run("r", [a_run(f"r{i}") for i in range(6)])
    assert caught.value.hint == "give more of the id"
    with pytest.raises(NotFoundError, match=r"run: r0, r1\n"):
        pick_run("r", [a_run("r0"), a_run("r1")])


@pytest.mark.parametrize("text", ["%", "_", "a%", "r_", "*", "?", "[a-z]", "'"])
def test_a_beginning_is_taken_as_it_is(store: SqliteStore, text: str) -> None:
    filled(store, new("a"), run="r1")
    filled(store, new("a"), run="r2")
    with pytest.raises(NotFoundError):
        store.read.find_run(text)
    assert store.read.runs(RunFilter(prefix=text)) == []


def test_a_run_that_is_called_like_a_pattern(store: SqliteStore) -> None:
    filled(store, new("a"), run="r%1")
    filled(store, new("a"), run="rx1")
    assert store.read.find_run("r%").id == "r%1"
    assert [run.id for run in store.read.runs(RunFilter(prefix="r%"))] == ["r%1"]


def test_filters_are_combined(store: SqliteStore) -> None:
    for number, (pipeline, status) in enumerate(
        [("p", "failed"), ("p", "running"), ("q", "failed"), ("p", "succeeded")]
    ):
        filled(store, run=f"r{number}", pipeline=pipeline, status=RunStatus(status),
               created=float(number))  # fmt: skip
    ended = (RunStatus.FAILED, RunStatus.SUCCEEDED)
    found = store.read.runs(RunFilter(pipeline="p", status=ended))
    assert [run.id for run in found] == ["r3", "r0"]
    assert [run.id for run in store.read.runs(RunFilter(limit=2))] == ["r3", "r2"]
    assert store.read.runs(RunFilter(status=(RunStatus.PAUSED,))) == []


def test_moving_what_is_not_there(store: SqliteStore) -> None:
    moves = [
        lambda tx: tx.set_wish("no", Wish.PAUSE),
        lambda tx: tx.set_driver("no", "e1"),
        lambda tx: tx.move_run("no", RunStatus.RUNNING, 1.0),
        lambda tx: tx.delete_run("no"),
        lambda tx: tx.get_run("no"),
    ]
    for move in moves:
        with pytest.raises(NotFoundError, match="'no'"), store.write() as tx:
            move(tx)


def test_a_spec_that_two_runs_share_outlives_one_of_them(store: SqliteStore) -> None:
    filled(store, run="r1")
    filled(store, run="r2")
    with store.write() as tx:
        tx.delete_run("r1")
    assert store.read.spec(a_run().spec) == b"{}"
    with store.write() as tx:
        tx.delete_run("r2")
    with pytest.raises(NotFoundError):
        store.read.spec(a_run().spec)
