"""The scripted executor keeps the promises of `records.ports.Executor`, without any process."""

from __future__ import annotations

from mainspring.records.ports import Capacity
from mainspring.records.runs import Order, Outcome
from mainspring.records.status import AttemptStatus
from mainspring.testing.executor import ScriptedExecutor, World

S = AttemptStatus


def order(name: str) -> Order:
    return Order(attempt=name, run="r1", path="a", node="a", snapshot="s")


def done(name: str, status: AttemptStatus = S.SUCCEEDED) -> Outcome:
    return Outcome(attempt=name, status=status)


def statuses(outcomes: list[Outcome]) -> dict[str, AttemptStatus]:
    return {outcome.attempt: outcome.status for outcome in outcomes}


def test_each_attempt_comes_back_once() -> None:
    world = World()
    executor = ScriptedExecutor(world)
    executor.launch([order("a"), order("b")])
    assert executor.wait(0) == []
    world.end(done("a"))
    assert executor.wait(0) == [done("a")]
    assert executor.wait(0) == []
    world.end(done("b", S.FAILED))
    assert statuses(executor.wait(0)) == {"b": S.FAILED}


def test_launching_is_idempotent() -> None:
    world = World()
    executor = ScriptedExecutor(world)
    executor.launch([order("a")])
    executor.launch([order("a"), order("a")])
    assert world.started == ["a"]
    world.end(done("a"))
    assert executor.wait(0) == [done("a")]
    executor.launch([order("a")])  # its outcome is durable: user code does not run again
    assert world.started == ["a"]
    assert executor.wait(0) == [done("a")]


def test_an_attempt_that_died_is_lost_and_stays_so() -> None:
    world = World()
    executor = ScriptedExecutor(world)
    executor.launch([order("a")])
    world.die("a")
    assert statuses(executor.wait(0)) == {"a": S.LOST}
    assert world.end(done("a")).status is S.LOST  # too late: the outcome is there


def test_the_first_outcome_counts() -> None:
    world = World()
    executor = ScriptedExecutor(world)
    executor.launch([order("a"), order("b")])
    world.end(done("a"))
    executor.terminate(["a", "b"], S.CANCELLED)
    assert statuses(executor.wait(0)) == {"a": S.SUCCEEDED, "b": S.CANCELLED}
    assert world.alive == {}


def test_attempts_outlive_their_engine() -> None:
    world = World()
    first = ScriptedExecutor(world)
    first.launch([order("a"), order("b"), order("c")])
    first.close()
    assert first.closed
    world.end(done("a"))
    world.die("b")
    second = ScriptedExecutor(world)
    assert second.wait(0) == []
    second.adopt(["a", "b", "c"])
    assert statuses(second.wait(0)) == {"a": S.SUCCEEDED, "b": S.LOST}
    assert list(world.alive) == ["c"]
    world.end(done("c"))
    assert statuses(second.wait(0)) == {"c": S.SUCCEEDED}
    assert world.started == ["a", "b", "c"]


def test_an_attempt_that_was_never_launched_is_lost() -> None:
    executor = ScriptedExecutor(World())
    executor.adopt(["never"])
    assert statuses(executor.wait(0)) == {"never": S.LOST}


def test_capacity() -> None:
    capacity = Capacity(cpus=8, gpus=1)
    assert ScriptedExecutor(World(), capacity).capacity() is capacity
    assert ScriptedExecutor(World()).capacity().cpus == 2
