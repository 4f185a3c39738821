"""The queue's part of the store's contract: every move of docs/protocol.md."""

from __future__ import annotations

import threading

import pytest
from tests.contracts.store_builders import (
    S,
    attempt,
    filled,
    new,
    outcome,
    ref,
    start,
    states,
)

from mainspring.records.errors import ConflictError, NotFoundError
from mainspring.records.runs import TaskError, Usage
from mainspring.records.status import AttemptStatus, RunStatus, Wish
from mainspring.records.stores import Store, Upstream


class QueueContract:
    def test_ready_in_order_of_id_and_limit(self, store: Store) -> None:
        ids = filled(store, new("a"), new("b"), new("c", S.PENDING, pending=1), new("d"))
        with store.write() as tx:
            assert [t.id for t in tx.ready(["r1"], 1.0, 2)] == ids[:2]
            assert [t.path for t in tx.ready(["r1"], 1.0, 9)] == ["a", "b", "d"]
            assert [t.path for t in tx.ready(["r1"], 1.0, 2, [ids[0]])] == ["b", "d"]
            assert tx.ready([], 1.0, 9) == []
            assert tx.ready(["nope"], 1.0, 9) == []

    def test_ready_of_several_runs(self, store: Store) -> None:
        first = filled(store, new("a"))
        second = filled(store, new("b"), run="r2")
        with store.write() as tx:
            late = tx.add_tasks("r1", [new("c")])
            found = tx.ready(["r2", "r1"], 1.0, 9)
            assert [t.id for t in found] == first + second + late
            assert [t.id for t in tx.ready(["r2", "r1"], 1.0, 1)] == first

    def test_ready_leaves_out_paused_runs(self, store: Store) -> None:
        filled(store, new("a"))
        with store.write() as tx:
            tx.set_wish("r1", Wish.PAUSE)
            assert tx.ready(["r1"], 1.0, 9) == []
            assert tx.next_ready(["r1"]) is None

    def test_not_before(self, store: Store) -> None:
        [one, two] = filled(store, new("a"), new("b"))
        with store.write() as tx:
            for task, at in ((one, 50.0), (two, 40.0)):
                start(tx, task, f"a{task}")
                tx.finish(f"a{task}", "e1", 1, outcome())
                tx.again(task, at, tries=1, lost=0)
            assert tx.next_ready(["r1"]) == 40.0
            assert tx.ready(["r1"], 39.9, 9) == []
            assert [t.id for t in tx.ready(["r1"], 40.0, 9)] == [two]
            assert [t.id for t in tx.ready(["r1"], 50.0, 9)] == [one, two]
            start(tx, two, "again")
            tx.again(two, None, tries=2, lost=1)
            assert tx.next_ready(["r1"]) == 0
            assert (tx.task(two).tries, tx.task(two).lost, tx.task(two).attempts) == (2, 1, 2)

    def test_begin_moves_once(self, store: Store) -> None:
        [one] = filled(store, new("a"))
        with store.write() as tx:
            assert start(tx, one, "a1") is True
            assert start(tx, one, "a2") is False
            assert start(tx, 999, "a3") is False
        task = store.read.find_task("r1", "a")
        assert (task.status, task.attempts, task.key) == (S.RUNNING, 1, "k")
        assert (task.static, task.seed, task.reason) == ("blake3:static", 7, "new")
        assert task.started == 5.0
        assert store.read.attempts(one) == [attempt(one)]
        assert store.read.running_attempts("r1") == [attempt(one)]
        with store.write() as tx:
            assert tx.inputs_of(one) == {"x": ("blake3:x", "1.0")}
            assert tx.running(["r1", "nope"]) == [attempt(one)]
            assert tx.computing("k") == "r1/a"
            assert tx.computing("other") is None

    def test_a_second_running_attempt_of_a_task_is_refused(self, store: Store) -> None:
        [one] = filled(store, new("a"))
        with store.write() as tx:
            start(tx, one, "a1")
            tx.again(one, None, tries=1, lost=0)  # without an end of the attempt: a caller's fault
        with pytest.raises(ConflictError), store.write() as tx:
            start(tx, one, "a2")
        assert [a.id for a in store.read.attempts(one)] == ["a1"]

    def test_finish_is_compare_and_set(self, store: Store) -> None:
        [one] = filled(store, new("a"))
        error = TaskError(kind="ValueError", message="ü", where="x.py:1")
        result = outcome(status=AttemptStatus.FAILED, error=error)
        with store.write() as tx:
            start(tx, one)
            assert tx.finish("a1", "other", 1, result) is None
            assert tx.finish("a1", "e1", 2, result) is None
            assert tx.finish("nope", "e1", 1, result) is None
            task = tx.finish("a1", "e1", 1, result)
            assert task is not None
            assert (task.id, task.status) == (one, S.RUNNING)
            assert tx.finish("a1", "e1", 1, result) is None
            assert tx.settle(one, S.FAILED, 9.0, error=error)
        [tried] = store.read.attempts(one)
        assert (tried.status, tried.ended, tried.error) == (AttemptStatus.FAILED, 9.0, error)
        assert tried.usage == Usage(wall=2.5, cpu=1.0)
        assert store.read.find_task("r1", "a").error == error
        assert store.read.running_attempts("r1") == []

    def test_settle_is_once_and_keeps_what_is_not_given(self, store: Store) -> None:
        [one] = filled(store, new("a"))
        with store.write() as tx:
            start(tx, one)
            tx.finish("a1", "e1", 1, outcome())
            assert tx.settle(one, S.SUCCEEDED, 9.0, outputs={"b": ref("2"), "a": ref("1")})
            assert tx.settle(one, S.FAILED, 10.0, reason="late") is False
            assert tx.settle(999, S.FAILED, 10.0) is False
        task = store.read.find_task("r1", "a")
        assert (task.status, task.ended, task.reason) == (S.SUCCEEDED, 9.0, "new")
        assert (task.key, task.seed) == ("k", 7)
        assert list(store.read.outputs(one).items()) == [("b", ref("2")), ("a", ref("1"))]

    def test_settle_with_a_key(self, store: Store) -> None:
        [one] = filled(store, new("a"))
        big = 2**64 - 1
        with store.write() as tx:
            assert tx.settle(
                one,
                S.REUSED,
                9.0,
                outputs={"result": ref("2", count=3, data_only=False)},
                reason="same key",
                source="r0/a",
                key="k2",
                static="s2",
                seed=big,
                inputs={"y": ("blake3:y", "2")},
            )
            assert tx.inputs_of(one) == {"y": ("blake3:y", "2")}
        task = store.read.find_task("r1", "a")
        assert (task.key, task.static, task.seed) == ("k2", "s2", big)
        assert (task.source, task.reason, task.started) == ("r0/a", "same key", None)
        assert store.read.outputs(one) == {"result": ref("2", count=3, data_only=False)}

    def test_settle_releases_dependants_at_zero(self, store: Store) -> None:
        [a, b, c, d] = filled(
            store,
            new("a"),
            new("b"),
            new("c", S.PENDING, pending=2),
            new("d", S.PENDING, pending=1),
        )
        with store.write() as tx:
            tx.add_edges([(a, c), (b, c), (c, d)])
            tx.settle(a, S.SUCCEEDED, 1.0, outputs={"result": ref()})
            assert tx.task(c).pending == 1
            assert tx.upstream(c) == {
                "a": Upstream(status=S.SUCCEEDED, outputs={"result": ref()}),
                "b": Upstream(status=S.READY),
            }
            assert tx.upstream(a) == {}
            tx.settle(b, S.FAILED, 1.0)
        assert states(store)["c"] == ("ready", 0)
        assert states(store)["d"] == ("pending", 1)
        assert store.read.edges("r1") == [(a, c), (b, c), (c, d)]

    def test_an_open_map_is_ready_when_all_its_children_are_settled(self, store: Store) -> None:
        [top] = filled(store, new("m"))
        with store.write() as tx:
            tx.open(top, 3, 0, 3)
            assert [t.path for t in tx.open_maps(["r1"])] == ["m"]
            kids = tx.add_tasks("r1", [new(f"m[{i}]", parent=top, index=i) for i in (1, 0)])
            tx.open(top, 3, 2, 3)
            for kid in kids:
                tx.settle(kid, S.SUCCEEDED, 1.0, outputs={"result": ref(str(kid))})
            assert (tx.task(top).status, tx.task(top).pending) == (S.OPEN, 1)
            [last] = tx.add_tasks("r1", [new("m[2]", parent=top, index=2)])
            tx.open(top, 3, 3, 1)
            assert tx.open_maps(["r1"]) == []
            tx.settle(last, S.SKIPPED, 1.0)
            done = tx.task(top)
            assert (done.status, done.pending, done.total, done.expanded) == (S.READY, 0, 3, 3)
            assert list(tx.child_outputs(top)) == [
                (0, S.SUCCEEDED, {"result": ref(str(kids[1]))}),
                (1, S.SUCCEEDED, {"result": ref(str(kids[0]))}),
                (2, S.SKIPPED, {}),
            ]
        assert [t.index for t in store.read.tasks("r1", parent=top)] == [1, 0, 2]
        assert len(store.read.tasks("r1", parent=top, limit=2)) == 2
        assert store.read.counts("r1") == {
            None: {S.READY: 1},
            top: {S.SUCCEEDED: 2, S.SKIPPED: 1},
        }

    def test_an_open_map_with_many_ready_children_is_not_expanded(self, store: Store) -> None:
        [top] = filled(store, new("m"))
        with store.write() as tx:
            kids = tx.add_tasks("r1", [new(f"m[{i}]", parent=top, index=i) for i in range(100)])
            tx.open(top, 500, 100, 500)
            assert tx.open_maps(["r1"]) == []
            tx.settle(kids[0], S.SUCCEEDED, 1.0)
            assert [t.id for t in tx.open_maps(["r1"])] == [top]

    def test_open_with_nothing_pending_is_ready(self, store: Store) -> None:
        [top] = filled(store, new("m"))
        with store.write() as tx:
            tx.open(top, 0, 0, 0)
            assert tx.task(top).status is S.READY

    def test_moves_from_the_wrong_state_are_refused(self, store: Store) -> None:
        [one] = filled(store, new("a", S.PENDING, pending=1))
        with store.write() as tx:
            with pytest.raises(ConflictError):
                tx.again(one, None, tries=1, lost=0)
            with pytest.raises(ConflictError):
                tx.park(one, "wait", "k")
            with pytest.raises(ConflictError):
                tx.open(one, 1, 0, 1)
        assert states(store) == {"a": ("pending", 1)}

    def test_park_and_wake(self, store: Store) -> None:
        [a, b, c] = filled(store, new("a"), new("b"), new("c"))
        with store.write() as tx:
            tx.park(a, "the same key is at work in r0/a", "k")
            tx.park(b, "a condition", None)
            tx.park(c, "another key", "k2")
            assert tx.task(a).reason == "the same key is at work in r0/a"
            assert tx.wake("nope") == 0
            assert tx.wake("k") == 1
            assert tx.wake("k") == 0
        assert [s for s, _ in states(store).values()] == ["ready", "waiting", "waiting"]

    def test_a_cancelled_waiting_task_is_not_woken(self, store: Store) -> None:
        [a] = filled(store, new("a"))
        with store.write() as tx:
            tx.park(a, "wait", "k")
            tx.settle(a, S.CANCELLED, 1.0)
            assert tx.wake("k") == 0
        assert states(store) == {"a": ("cancelled", 0)}

    def test_unsettled_and_any_status(self, store: Store) -> None:
        [a] = filled(store, new("a"))
        with store.write() as tx:
            assert tx.unsettled("r1") == 1
            assert tx.any_status("r1", S.READY)
            tx.settle(a, S.FAILED, 1.0)
            assert tx.unsettled("r1") == 0
            assert tx.unsettled("nope") == 0
            assert tx.any_status("r1", S.FAILED)
            assert not tx.any_status("r1", S.READY)

    def test_take_over(self, store: Store) -> None:
        [a, b, c] = filled(store, new("a"), new("b"), new("c"))
        with store.write() as tx:
            start(tx, a, "a1", engine="e1")
            start(tx, b, "a2", engine="e2", epoch=4)
            start(tx, c, "a3", engine="e1")
            tx.finish("a3", "e1", 1, outcome("a3"))
            tx.settle(c, S.SUCCEEDED, 1.0)
            assert tx.engines() == ["e1", "e2"]
            taken = tx.take_over(["e1", "gone"], "e3")
            assert [(x.id, x.engine, x.epoch) for x in taken] == [("a1", "e3", 2)]
            assert tx.take_over(["e1"], "e3") == []
            assert tx.finish("a1", "e1", 1, outcome()) is None  # fenced
            assert tx.finish("a1", "e3", 2, outcome()) is not None
            assert tx.engines() == ["e2"]

    def test_engines_of_runs_that_have_not_ended(self, store: Store) -> None:
        filled(store, new("a"))
        with store.write() as tx:
            tx.set_driver("r1", "e7")
            assert tx.engines() == ["e7"]
        assert store.read.driver("r1") == "e7"
        with store.write() as tx:
            tx.move_run("r1", RunStatus.CANCELLED, 1.0)
            assert tx.engines() == []
            tx.set_driver("r1", None)
        assert store.read.driver("r1") is None

    def test_unknown_task(self, store: Store) -> None:
        filled(store, new("train"))
        with store.write() as tx:
            for ask in (tx.task, tx.inputs_of):
                with pytest.raises(NotFoundError):
                    ask(999)
            assert tx.tasks_by_path("r1", ["nope", "train"]).keys() == {"train"}
        with pytest.raises(NotFoundError) as caught:
            store.read.find_task("r1", "trian")
        assert "train" in str(caught.value)

    def test_one_of_many_threads_begins_a_task(self, store: Store) -> None:
        [one] = filled(store, new("a"))
        gate = threading.Barrier(4)
        begun: list[bool] = []

        def claim(name: str) -> None:
            gate.wait(10)
            with store.write() as tx:
                begun.append(start(tx, one, name))

        threads = [threading.Thread(target=claim, args=(f"a{i}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(begun) == [False, False, False, True]
        assert len(store.read.attempts(one)) == 1

    def test_delayed_tasks_apart_from_those_that_may_start(self, store: Store) -> None:
        ids = filled(store, new("a"), new("b"), new("c"), new("d"))
        other = filled(store, new("e"), run="r2")
        with store.write() as tx:
            for task, at in ((ids[0], 50.0), (ids[2], 40.0), (other[0], 45.0)):
                start(tx, task, f"a{task}")
                tx.finish(f"a{task}", "e1", 1, outcome(f"a{task}", AttemptStatus.FAILED))
                tx.again(task, at, tries=1, lost=0)
            assert [t.id for t in tx.ready(["r1"], 0.0, 9)] == [ids[1], ids[3]]
            assert [t.id for t in tx.ready(["r1"], 45.0, 9)] == ids[1:]
            assert [t.id for t in tx.ready(["r1"], 99.0, 9, [ids[1]], ["d"])] == [ids[0], ids[2]]
            assert [t.id for t in tx.delayed(["r1"], 99.0, 9)] == [ids[2], ids[0]]
            assert [t.id for t in tx.delayed(["r1"], 99.0, 1)] == [ids[2]]
            assert [t.id for t in tx.delayed(["r1"], 45.0, 9)] == [ids[2]]
            assert [t.id for t in tx.delayed(["r2", "r1"], 99.0, 1)] == [other[0], ids[2]]
            tx.set_wish("r1", Wish.PAUSE)
            assert tx.delayed(["r1"], 99.0, 9) == []
