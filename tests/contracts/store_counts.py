"""The store's contract for counts: true after cancelling, reopening, and any mix of moves."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contracts.store_builders import (
    S,
    a_run,
    filled,
    new,
    outcome,
    ref,
    start,
    states,
)

from mainspring.records.runs import TaskError
from mainspring.records.status import TASK_SETTLED, AttemptStatus, RunStatus, TaskStatus
from mainspring.records.stores import Store


class CountContract:
    def test_settle_all_leaves_running_attempts(self, store: Store) -> None:
        [a, b, c, d] = filled(store, new("a"), new("b"), new("c", S.PENDING, pending=1), new("d"))
        with store.write() as tx:
            tx.add_edges([(a, c)])
            start(tx, a)
            tx.settle(d, S.SUCCEEDED, 1.0)
            assert tx.settle_all("r1", S.CANCELLED, 2.0, "cancelled by a person") == 2
            assert tx.task(b).reason == "cancelled by a person"
            assert tx.task(b).ended == 2.0
            assert tx.settle_all("r1", S.CANCELLED, 2.0, "x") == 0
        assert states(store) == {
            "a": ("running", 0),
            "b": ("cancelled", 0),
            "c": ("cancelled", 0),
            "d": ("succeeded", 0),
        }
        with store.write() as tx:
            tx.finish("a1", "e1", 1, outcome(status=AttemptStatus.CANCELLED))
            assert tx.settle(a, S.CANCELLED, 3.0)
        assert states(store)["c"] == ("cancelled", 0)

    def test_reopen(self, store: Store) -> None:
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
            start(tx, b)
            tx.finish("a1", "e1", 1, outcome(status=AttemptStatus.LOST))
            tx.again(b, None, tries=2, lost=3)
            tx.settle(b, S.FAILED, 1.0, error=TaskError(kind="x", message="y"), reason="failed")
            tx.settle(c, S.BLOCKED, 1.0)
            tx.settle(d, S.BLOCKED, 1.0)
            tx.move_run("r1", RunStatus.FAILED, 2.0)
            assert tx.reopen("r1") == 3
            assert tx.reopen("r1") == 0
            reopened = tx.task(b)
        assert states(store) == {
            "a": ("succeeded", 0),
            "b": ("ready", 0),
            "c": ("pending", 1),
            "d": ("pending", 1),
        }
        assert (reopened.tries, reopened.lost, reopened.attempts) == (0, 0, 1)
        assert (reopened.error, reopened.ended, reopened.reason) == (None, None, None)
        assert store.read.outputs(a) == {"result": ref()}

    def test_reopen_of_a_map(self, store: Store) -> None:
        [top, never, after] = filled(store, new("m"), new("n"), new("after", S.PENDING, pending=2))
        with store.write() as tx:
            tx.add_edges([(top, after), (never, after)])
            kids = tx.add_tasks("r1", [new(f"m[{i}]", parent=top, index=i) for i in range(3)])
            tx.open(top, 5, 3, 5)
            tx.settle(kids[0], S.SUCCEEDED, 1.0)
            tx.settle(kids[1], S.FAILED, 1.0)
            tx.open(never, 4, 0, 4)
            assert tx.settle_all("r1", S.CANCELLED, 2.0, "stop") == 4
            assert tx.reopen("r1") == 5
        assert states(store) == {
            "m": ("open", 4),  # two elements at work and two that are not there yet
            "n": ("ready", 0),  # never expanded: to be considered anew
            "after": ("pending", 2),
            "m[0]": ("succeeded", 0),
            "m[1]": ("ready", 0),
            "m[2]": ("ready", 0),
        }
        assert store.read.find_task("r1", "n").total is None

    def test_reopen_of_a_map_whose_children_are_done(self, store: Store) -> None:
        [top] = filled(store, new("m"))
        with store.write() as tx:
            [kid] = tx.add_tasks("r1", [new("m[0]", parent=top, index=0)])
            tx.open(top, 1, 1, 1)
            tx.settle(kid, S.SUCCEEDED, 1.0)
            tx.settle(top, S.CANCELLED, 1.0)
            assert tx.reopen("r1") == 1
        assert states(store)["m"] == ("ready", 0)

    @settings(
        max_examples=25,
        deadline=None,
        # Every store's test class inherits this one test, on purpose.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(data=st.data())
    def test_counts_are_true_whatever_is_settled_when(self, new_store, data) -> None:
        """Random graphs with a map, settled in any order and way, cancelled and reopened."""
        store = new_store()
        size = data.draw(st.integers(2, 7))
        pairs = [(i, j) for j in range(size) for i in range(j)]
        edges = data.draw(st.lists(st.sampled_from(pairs), unique=True, max_size=10))
        with store.write() as tx:
            tx.add_run(a_run(), b"")
            ids = tx.add_tasks("r1", [_first(i, edges) for i in range(size)])
            tx.add_edges([(ids[i], ids[j]) for i, j in edges])
        moves = st.sampled_from([*sorted(TASK_SETTLED), "open", "expand", "cancel", "reopen"])
        for move in data.draw(st.lists(moves, max_size=25)):
            pick = data.draw(st.integers(0, 100))
            with store.write() as tx:
                _move(tx, store, move, pick)
            _check_counts(store)
        store.close()


def _first(i: int, edges: list[tuple[int, int]]):
    pending = sum(down == i for _, down in edges)
    return new(f"t{i}", S.PENDING if pending else S.READY, pending=pending)


def _move(tx, store: Store, move: str, pick: int) -> None:
    tasks = store.read.tasks("r1")
    ready = [t for t in tasks if t.status is S.READY]
    opened = [t for t in tasks if t.status is S.OPEN and t.expanded < (t.total or 0)]
    fresh = [t for t in ready if t.parent is None and not t.expanded]
    if move == "cancel":
        tx.settle_all("r1", S.CANCELLED, 1.0, "stop")
    elif move == "reopen":
        tx.reopen("r1")
    elif move == "open" and fresh:
        tx.open(fresh[pick % len(fresh)].id, 3, 0, 3)
    elif move == "expand" and opened:
        top = opened[pick % len(opened)]
        index = top.expanded
        tx.add_tasks("r1", [new(f"{top.path}[{index}]", parent=top.id, index=index)])
        tx.open(top.id, 3, index + 1, top.pending)
    elif move in TASK_SETTLED and ready:
        assert tx.settle(ready[pick % len(ready)].id, TaskStatus(move), 1.0)


def _check_counts(store: Store) -> None:
    tasks = {task.id: task for task in store.read.tasks("r1")}
    open_ids = {task.id for task in tasks.values() if task.status not in TASK_SETTLED}
    for task in tasks.values():
        ups = {up for up, down in store.read.edges("r1") if down == task.id} & open_ids
        kids = {kid.id for kid in tasks.values() if kid.parent == task.id} & open_ids
        missing = (task.total or 0) - task.expanded
        if task.status is S.PENDING:
            assert task.pending == len(ups) > 0
        elif task.status is S.OPEN:
            assert task.pending == len(kids) + missing > 0
        else:
            assert task.pending == 0
            if task.status is S.READY:
                assert not kids
                assert not ups or task.expanded
