"""The store's contract for transactions, runs and what belongs to them."""

from __future__ import annotations

import math
import threading

import pytest
from tests.contracts.store_builders import (
    S,
    a_run,
    attempt,
    cached,
    figure,
    filled,
    new,
    outcome,
    ref,
    start,
    verdict,
)

from mainspring.records.errors import ConflictError, NotFoundError, StoreError
from mainspring.records.metrics import Point
from mainspring.records.status import RunStatus, Wish
from mainspring.records.stores import RunFilter, Store, Upstream


class TransactionContract:
    def test_a_part_of_the_tasks(self, store: Store) -> None:
        [top, other] = filled(store, new("m", kind="map"), new("n"))
        with store.write() as tx:
            kids = tx.add_tasks("r1", [new(f"m[{i}]", parent=top, index=i) for i in range(3)])
            tx.settle(kids[1], S.FAILED, 1.0)
            tx.settle(kids[2], S.SUCCEEDED, 1.0, outputs={"result": ref("2")})
            tx.settle(other, S.SUCCEEDED, 1.0, outputs={"result": ref("1")})
        read = store.read
        assert [task.id for task in read.top_tasks("r1")] == [top, other]
        assert read.top_tasks("r2") == []
        assert [task.id for task in read.elements(top, 1, 9)] == kids[1:]
        assert [task.id for task in read.elements(top, 0, 2)] == kids[:2]
        assert read.elements(top, 3, 9) == read.elements(other, 0, 9) == []
        assert [task.id for task in read.tasks("r1", status=S.FAILED)] == [kids[1]]
        assert [task.id for task in read.tasks("r1", after=other, limit=2)] == kids[:2]
        assert [task.id for task in read.tasks("r1", parent=top, after=kids[0])] == kids[1:]
        assert read.tasks("r1", status=S.SUCCEEDED, after=kids[2]) == []
        assert [path for path, _, _ in read.artifacts("r1")] == ["n", "m[2]"]
        assert [path for path, _, _ in read.artifacts("r1", elements=False)] == ["n"]

    def test_nothing_is_seen_before_the_commit(self, store: Store) -> None:
        with store.write() as tx:
            tx.add_run(a_run(), b"{}")
            assert tx.get_run("r1") == a_run()
            assert store.read.runs(RunFilter()) == []
        assert store.read.run("r1") == a_run()

    def test_an_exception_undoes_everything(self, store: Store) -> None:
        [one] = filled(store, new("a"))

        def fail() -> None:
            with store.write() as tx:
                tx.settle(one, S.SUCCEEDED, 1.0, outputs={"result": ref()})
                tx.add_tasks("r1", [new("b")])
                tx.set_wish("r1", Wish.CANCEL)
                tx.add_result(cached())
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert [(t.path, t.status) for t in store.read.tasks("r1")] == [("a", S.READY)]
        assert store.read.outputs(one) == {}
        assert store.read.run("r1").wish is Wish.RUN
        assert store.read.lookup("k") == []
        with store.write() as tx:
            assert tx.settle(one, S.SUCCEEDED, 1.0)

    def test_a_refused_change_undoes_even_if_it_is_caught(self, store: Store) -> None:
        def catch() -> None:
            with store.write() as tx:
                tx.add_run(a_run(), b"{}")
                with pytest.raises(ConflictError):
                    tx.add_run(a_run(), b"{}")

        with pytest.raises(StoreError):
            catch()
        with pytest.raises(NotFoundError):
            store.read.run("r1")

    def test_transactions_do_not_nest(self, store: Store) -> None:
        with store.write() as tx:
            tx.add_run(a_run(), b"{}")
            with pytest.raises(StoreError), store.write():
                pass
        assert store.read.run("r1") == a_run()

    def test_threads_write_in_turn(self, store: Store) -> None:
        filled(store)

        def add(name: str) -> None:
            for i in range(10):
                with store.write() as tx:
                    tx.add_tasks("r1", [new(f"{name}{i}")])

        threads = [threading.Thread(target=add, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        tasks = store.read.tasks("r1")
        assert len({t.id for t in tasks}) == len({t.path for t in tasks}) == 30

    def test_version_changes_with_a_commit(self, store: Store) -> None:
        before = store.read.version()
        assert store.read.version() == before
        filled(store)
        assert store.read.version() != before

    def test_a_closed_store_says_so(self, store: Store) -> None:
        filled(store)
        store.close()
        with pytest.raises(StoreError), store.write():
            pass
        with pytest.raises(StoreError):
            store.read.run("r1")


class RunContract:
    def test_a_run_comes_back_as_it_was(self, store: Store) -> None:
        run = a_run(parameters={"x": [1, 2.5, None, math.inf], "": {"é": True}}, parent="r0")
        with store.write() as tx:
            tx.add_run(run, b"\x00spec")
        assert store.read.run("r1") == run
        assert store.read.spec("blake3:spec") == b"\x00spec"
        assert store.read.driver("r1") is None

    def test_nan_parameters_survive(self, store: Store) -> None:
        filled(store, parameters={"x": math.nan, "y": {"$float": "plain"}})
        back = store.read.run("r1").parameters
        assert math.isnan(back["x"])
        assert back["y"] == {"$float": "plain"}

    def test_what_is_not_there(self, store: Store) -> None:
        for ask in (store.read.run, store.read.find_run, store.read.spec, store.read.driver):
            with pytest.raises(NotFoundError):
                ask("nope")
        assert store.read.tasks("nope") == []
        with pytest.raises(NotFoundError), store.write() as tx:
            tx.add_tasks("nope", [new("a")])
        for change in (
            lambda tx: tx.get_run("nope"),
            lambda tx: tx.set_wish("nope", Wish.RUN),
            lambda tx: tx.move_run("nope", RunStatus.RUNNING, 1.0),
            lambda tx: tx.set_driver("nope", "e"),
            lambda tx: tx.add_verdict(verdict("nope")),
            lambda tx: tx.delete_run("nope"),
        ):
            with pytest.raises(NotFoundError), store.write() as tx:
                change(tx)

    def test_the_same_run_or_path_twice(self, store: Store) -> None:
        filled(store, new("a"))
        with pytest.raises(ConflictError):
            filled(store)
        with pytest.raises(ConflictError), store.write() as tx:
            tx.add_tasks("r1", [new("b"), new("a")])
        with pytest.raises(ConflictError), store.write() as tx:
            tx.add_edges([(1, 999)])
        assert [t.path for t in store.read.tasks("r1")] == ["a"]

    def test_times_of_a_run(self, store: Store) -> None:
        filled(store)
        for status, at, started, ended in (
            (RunStatus.RUNNING, 1.0, 1.0, None),
            (RunStatus.PAUSED, 2.0, 1.0, None),
            (RunStatus.RUNNING, 3.0, 1.0, None),
            (RunStatus.FAILED, 4.0, 1.0, 4.0),
            (RunStatus.QUEUED, 5.0, 1.0, None),
        ):
            with store.write() as tx:
                tx.move_run("r1", status, at, "because")
            run = store.read.run("r1")
            assert (run.status, run.started, run.ended) == (status, started, ended)
            assert run.reason == "because"
        with store.write() as tx:
            tx.move_run("r1", RunStatus.RUNNING, 6.0)
        assert store.read.run("r1").reason is None

    def test_find_run(self, store: Store) -> None:
        with pytest.raises(NotFoundError):
            store.read.find_run("latest")
        names = ["ab1", "ab2", "ab", "c%_", "c4"]
        for i, name in enumerate(names):
            filled(store, run=name, created=100.0 + i)
        assert store.read.find_run("latest").id == "c4"
        assert store.read.find_run("ab").id == "ab"
        assert store.read.find_run("ab2").id == "ab2"
        assert store.read.find_run("c%").id == "c%_"
        for wrong in ("", "c", "abc", "C4", "%"):
            with pytest.raises(NotFoundError):
                store.read.find_run(wrong)

    def test_an_ambiguous_prefix_lists_five(self, store: Store) -> None:
        for i in range(7):
            filled(store, run=f"x{i}", created=100.0 + i)
        with pytest.raises(NotFoundError) as caught:
            store.read.find_run("x")
        assert "x6, x5, x4, x3, x2, ..." in str(caught.value)

    def test_runs_newest_first(self, store: Store) -> None:
        for name, at, pipeline in (("a1", 1.0, "p"), ("a2", 3.0, "q"), ("b", 2.0, "p")):
            filled(store, run=name, created=at, pipeline=pipeline)
        filled(store, run="same", created=3.0, pipeline="p")
        with store.write() as tx:
            tx.move_run("a1", RunStatus.RUNNING, 1.0)

        def names(**want: object) -> list[str]:
            return [run.id for run in store.read.runs(RunFilter(**want))]

        assert names() == ["same", "a2", "b", "a1"]
        assert names(limit=2) == ["same", "a2"]
        assert names(pipeline="p") == ["same", "b", "a1"]
        assert names(pipeline="none") == []
        assert names(prefix="a") == ["a2", "a1"]
        assert names(status=(RunStatus.RUNNING,)) == ["a1"]
        assert names(status=(RunStatus.RUNNING, RunStatus.QUEUED), limit=9)[-1] == "a1"
        assert names(status=(RunStatus.FAILED,)) == []

    def test_tasks_come_back_as_they_were(self, store: Store) -> None:
        ids = filled(
            store,
            new("a"),
            new(
                "b",
                S.REUSED,
                key="k",
                static="s",
                seed=2**63,
                source="r0/b",
                reason="same key",
                at=7.0,
                inputs={"x": ("blake3:x", "1")},
                outputs={"result": ref("1"), "other": ref("2")},
            ),
        )
        [a, b] = store.read.tasks("r1")
        assert ids == [a.id, b.id]
        assert ids[0] < ids[1]
        assert (a.run, a.path, a.node, a.kind, a.status, a.ended) == (
            "r1", "a", "a", "step", S.READY, None,
        )  # fmt: skip
        assert (b.key, b.static, b.seed, b.source, b.reason, b.ended) == (
            "k", "s", 2**63, "r0/b", "same key", 7.0,
        )  # fmt: skip
        assert store.read.find_task("r1", "b") == b
        assert store.read.tasks("r1", limit=1) == [a]
        assert store.read.artifacts("r1") == [
            ("b", "result", ref("1")),
            ("b", "other", ref("2")),
        ]
        with store.write() as tx:
            assert tx.inputs_of(ids[1]) == {"x": ("blake3:x", "1")}
            assert tx.inputs_of(ids[0]) == {}
            assert tx.tasks_by_path("r1", ["b", "a"]) == {
                "a": (ids[0], Upstream(status=S.READY)),
                "b": (
                    ids[1],
                    Upstream(status=S.REUSED, outputs={"result": ref("1"), "other": ref("2")}),
                ),
            }

    def test_delete_run_keeps_only_decisions(self, store: Store) -> None:
        _everything(store, "r1")
        kept = _everything(store, "r2", created=200.0)
        with store.write() as tx:
            tx.add_result(cached(run="r1", digest="other"))
        before = store.read.referenced()
        with store.write() as tx:
            tx.delete_run("r1")
        read = store.read
        with pytest.raises(NotFoundError):
            read.run("r1")
        assert read.tasks("r1") == read.artifacts("r1") == read.edges("r1") == []
        assert read.metrics("r1") == read.media("r1") == read.divergences("r1") == []
        assert [c.run for c in read.lookup("k")] == ["r2"]
        assert [v.run for v in read.all_verdicts()] == ["r1", "r2"]
        assert read.verdicts("r1") != []
        assert len(read.tasks("r2")) == 2
        assert len(read.points("r2", "train", "loss")) == 1
        assert read.attempts(kept) != []
        assert read.spec("blake3:spec") == b"{}"
        assert read.referenced() < before
        with store.write() as tx:
            tx.delete_run("r2")
        with pytest.raises(NotFoundError):
            read.spec("blake3:spec")

    def test_referenced(self, store: Store) -> None:
        _everything(store, "r1")
        assert store.read.referenced() >= {
            "blake3:snapshot", "blake3:out-r1", "blake3:1", "blake3:x", "blake3:png",
        }  # fmt: skip

    def test_what_is_mentioned_by_ranges(self, store: Store) -> None:
        assert store.read.extent() == 1
        assert store.read.mentioned(0, 1).runs == []
        first = _everything(store, "r1")
        before = store.read.extent()
        assert before > first
        _everything(store, "r2", created=50.0)
        last = store.read.extent()
        found = [store.read.mentioned(n, n + 1) for n in range(last)]
        assert [run.id for part in found for run in part.runs] == ["r1", "r2"]
        blobs = {blob for part in found for blob in part.blobs}
        assert {("r1", "blake3:out-r1", "json", 10), ("r2", "blake3:png", "", 0)} <= blobs
        assert {digest for _, digest, _, _ in blobs} | {"blake3:snapshot"} >= (
            store.read.referenced()
        )
        attempts = {attempt for part in found for attempt in part.attempts}
        assert ("r2", "r2-a1", True) in attempts
        whole = store.read.mentioned(0, last)
        assert set(whole.blobs) == blobs
        assert set(whole.attempts) == attempts
        assert set(whole.sources) == {source for part in found for source in part.sources}
        # What came later has higher numbers than what was there of its kind.
        assert store.read.mentioned(last, last + 1000).blobs == []

    def test_which_runs_were_reused(self, store: Store) -> None:
        filled(store, new("a", S.REUSED, source="r0/a[3]"), new("b", S.REUSED, source="r0/x"))
        assert set(store.read.mentioned(0, store.read.extent()).sources) == {("r1", "r0")}


def _everything(store: Store, run: str, **changes: object) -> int:
    """A run with one of each record; the id of its first task."""
    [one, two] = filled(store, new("train"), new("b", S.PENDING, pending=1), run=run, **changes)
    name = f"{run}-a1"
    with store.write() as tx:
        tx.add_edges([(one, two)])
        start(tx, one, name, run=run)
        tx.finish(name, "e1", 1, outcome(name))
        tx.settle(one, S.SUCCEEDED, 1.0, outputs={"result": ref(f"out-{run}")})
        tx.add_result(cached(run=run))
        tx.add_verdict(verdict(run))
        tx.add_points(run, one, name, [Point(name="loss", value=1.0, step=None, at=1.0)], 5)
        tx.add_media(run, one, [figure()])
    assert store.read.attempts(one)[0].id == attempt(one, name).id
    return one
