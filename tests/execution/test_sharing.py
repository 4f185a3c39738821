"""Several engines on one store: sharing a run's tasks, its end, and a person's wishes."""

from __future__ import annotations

import pytest
from tests.execution.rig import Rig, pipeline, step

from mainspring.execution.engine import AT_ONCE, Engine
from mainspring.records.status import RunStatus, Wish


def wide(count: int = 6, **options: object) -> list[object]:
    return [step(f"s{n}", {"x": n}, uses="m:s", **options) for n in range(count)]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def pair(rig: Rig) -> tuple[Engine, Engine]:
    return rig.started(name="e1"), rig.started(name="e2")


def test_each_takes_what_it_has_room_for(rig: Rig) -> None:
    rig.add(pipeline(*wide(6)))
    one, two = pair(rig)
    assert len(one.watched) == len(two.watched) == 2
    assert not one.watched.keys() & two.watched.keys()
    # What one has only looked ahead at is the other's as soon as that has room.
    for path in [rig.world.alive[name].path for name in two.watched]:
        rig.done(path)
    rig.turn(two)
    assert len(two.watched) == 2
    assert len(rig.working) == 4


def test_either_may_end_the_run_and_the_other_notices(rig: Rig) -> None:
    rig.add(pipeline(*wide(2)))
    one = rig.started(name="e1")
    two = rig.started(name="e2")
    for path in list(rig.working):
        rig.done(path)
    assert rig.turn(one) == {"r": RunStatus.SUCCEEDED}
    assert rig.turn(two) == {"r": RunStatus.SUCCEEDED}
    assert two._runs == []


def test_an_ended_run_is_not_begun_again(rig: Rig) -> None:
    """The other may end it between this engine's look at the store and its start."""
    rig.add(pipeline(*wide(1)))
    one = rig.started(name="e1")
    rig.done("s0")
    rig.turn(one)
    ended = rig.store.read.run("r").ended
    assert rig.engine("e2").start(["r"]) == {"r": RunStatus.SUCCEEDED}
    assert rig.store.read.run("r").ended == ended


@pytest.mark.parametrize(
    ("wish", "status"), [(Wish.CANCEL, RunStatus.CANCELLED), (Wish.PAUSE, RunStatus.PAUSED)]
)
def test_a_wish_reaches_every_engine(rig: Rig, wish: Wish, status: RunStatus) -> None:
    rig.add(pipeline(*wide(6)))
    one, two = pair(rig)
    rig.wish(wish)
    rig.turn(one)
    rig.turn(two)
    if wish is Wish.CANCEL:
        assert len(rig.taken) == 4
    for path in list(rig.working):
        rig.done(path)
    rest = rig.turn(one) | rig.turn(two)
    assert rest == {"r": status}
    assert rig.turn(one) in ({}, {"r": status})
    assert one._runs == two._runs == []
    rig.reopen()
    one.start(["r"])
    assert rig.finish(one) is RunStatus.SUCCEEDED


def test_a_name_stands_on_the_run_while_anybody_works_on_it(rig: Rig) -> None:
    rig.add(pipeline(*wide(6)))
    one, two = pair(rig)
    assert rig.store.read.driver("r") == one.id
    rig.kill(one)
    rig.turn(two, seconds=10)
    assert rig.store.read.driver("r") == two.id


def test_what_only_another_has_the_means_for_is_left_to_it(rig: Rig) -> None:
    rig.add(pipeline(*wide(3, gpus=1), step("plain")))
    small = rig.started(name="e1")
    assert list(rig.working) == ["plain"]
    said = [event.reason for event in rig.events if event.status == "waiting"]
    assert said == ["asks for gpus=1, there is 0: left to other engines"] * 3
    rig.turn(small, seconds=10)  # long enough to starve anything else, if it were held
    rig.capacity = type(rig.capacity)(cpus=2.0, gpus=2, memory=1 << 30)
    large = rig.started(name="e2")
    assert sorted(rig.working) == ["plain", "s0", "s1"]
    for path in list(rig.working):
        rig.done(path)
    rig.turn(large)
    rig.done("s2")
    rig.turn(large)
    assert rig.turn(small) == {"r": RunStatus.SUCCEEDED}


def test_serving_takes_up_what_appears(rig: Rig) -> None:
    rig.add(pipeline(step("a")), "r1")
    engine = rig.engine()
    names = ["r1"]
    engine.round(lambda: names, [])
    assert sorted(rig.working) == ["r1/a"]
    rig.add(pipeline(step("b")), "r2")
    names.append("r2")
    rig.ticks += 1
    engine.round(lambda: names, engine.executor.wait(0))
    assert sorted(rig.working) == ["r1/a", "r2/b"]


def test_serving_takes_no_more_runs_than_it_has_room_for(rig: Rig) -> None:
    count = AT_ONCE + 3
    names = [rig.add(pipeline(step("s", {"x": n})), f"r{n:02}") for n in range(count)]
    engine = rig.engine()
    engine.round(lambda: names, [])
    assert engine._runs == names[:AT_ONCE]
    rig.ticks += 1
    engine.round(lambda: names, [])
    assert engine._runs == names[:AT_ONCE]


def test_a_run_that_cannot_be_loaded_stops_no_other(rig: Rig) -> None:
    from mainspring.records.errors import BlobError

    def refuse(run: object) -> None:
        if getattr(run, "id", "") == "bad":
            raise BlobError("its source is gone")

    rig.add(pipeline(step("a")), "bad")
    rig.add(pipeline(step("a")), "good")
    rig.on_prepare = refuse
    engine = rig.engine()
    engine.round(lambda: ["bad", "good"], [])
    assert sorted(rig.working) == ["good/a"]
    told = [event.reason for event in rig.events if event.kind == "store"]
    assert told == ["run bad can't be worked on here: its source is gone"]


def test_draining_claims_nothing_and_pauses_nothing(rig: Rig) -> None:
    rig.add(pipeline(*wide(6)))
    engine = rig.engine()
    names = ["r"]
    engine.round(lambda: names, [])
    assert len(rig.working) == 2
    engine.drain()
    for path in list(rig.working):
        rig.done(path)
    rig.ticks += 1
    engine.round(lambda: names, engine.executor.wait(0))
    assert not rig.working
    assert not engine.watched
    assert rig.store.read.run("r").wish is Wish.RUN
    assert rig.run_status() is RunStatus.RUNNING
    assert rig.finish(rig.started(name="e2")) is RunStatus.SUCCEEDED


def test_serving_until_idle_ends_when_nothing_is_left(rig: Rig) -> None:
    rig.add(pipeline(step("a")), "r1")
    rig.add(pipeline(step("a"), step("b")), "r2")
    engine = rig.engine()
    scripted = engine.executor.wait

    def wait(timeout: float) -> object:
        rig.ticks += max(timeout, 0.01)
        for path in list(rig.working):
            rig.done(path)
        return scripted(timeout)

    engine.executor.wait = wait  # type: ignore[method-assign, assignment]
    unfinished = lambda: [r for r in ("r1", "r2") if not rig.ended(r)]  # noqa: E731
    rest = engine.serve(unfinished, until_idle=True)
    assert rest == {"r1": RunStatus.SUCCEEDED, "r2": RunStatus.SUCCEEDED}
    assert not rig.leases.alive(engine.id)


def test_a_stopped_engine_that_goes_on_changes_nothing_of_what_was_taken(rig: Rig) -> None:
    """SIGSTOP for longer than its lease: what it had is another's by then."""
    rig.add(pipeline(*wide(2)))
    one = rig.started(name="e1")
    rig.kill(one)
    two = rig.started(name="e2")
    assert two.watched.keys() == one.watched.keys()
    for path in list(rig.working):
        rig.done(path, 1)
    rig.leases.hold(one.id)  # it goes on, and its lease with it
    rig.turn(one)
    assert [rig.status(f"s{n}") for n in range(2)] == ["running", "running"]
    assert not one.watched
    assert rig.turn(two) == {"r": RunStatus.SUCCEEDED}
    assert rig.turn(one) == {"r": RunStatus.SUCCEEDED}
    assert rig.attempts("s0") == ["succeeded"]
