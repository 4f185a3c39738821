"""The loop: what is started when, what waits, what is taken away, and who takes over."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.execution.rig import Rig, pipeline, step

from mainspring.execution.claiming import LOOK_AHEAD
from mainspring.records.errors import StoreError
from mainspring.records.ports import Capacity
from mainspring.records.spec import CheckpointNode
from mainspring.records.status import AttemptStatus, RunStatus, Wish
from mainspring.records.stores import Store
from mainspring.storage.sqlite import SqliteStore
from mainspring.testing.memory import MemoryStore

DAY = 86_400.0


@pytest.fixture(params=["memory", "sqlite"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """The same on both stores."""
    store: Store = MemoryStore()
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "store.db")
    yield Rig(store)
    store.close()


def independent(count: int, **options: object) -> list[object]:
    return [step(f"s{n}", **options) for n in range(count)]


# The order of things.


def test_a_task_starts_when_all_that_it_reads_is_there(rig: Rig) -> None:
    both = {"a": "${{ steps.a }}", "b": "${{ steps.b }}"}
    rig.add(pipeline(step("a"), step("b"), step("c", both)))
    engine = rig.started()
    assert list(rig.working) == ["a", "b"]
    rig.done("a", 1)
    rig.turn(engine)
    assert list(rig.working) == ["b"]
    rig.done("b", 2)
    rig.turn(engine)
    assert rig.values(rig.order("c")) == {"a": 1, "b": 2}
    rig.done("c", 3)
    assert rig.turn(engine) == {"r": RunStatus.SUCCEEDED}
    assert rig.output("c") == 3


def test_drive_works_until_every_run_rests(rig: Rig) -> None:
    rig.add(pipeline(step("a")), "r")
    rig.add(pipeline(step("b"), name="q"), "other")
    engine = rig.engine()
    wait = engine.executor.wait

    def do_and_wait(timeout: float) -> list[object]:
        rig.ticks += 1
        for path in list(rig.working):
            if path == "a":
                rig.done(path)
            else:
                rig.fail(path)
        return wait(timeout)  # type: ignore[return-value]

    engine.executor.wait = do_and_wait  # type: ignore[method-assign, assignment]
    assert engine.drive(["r", "other"]) == {
        "r": RunStatus.SUCCEEDED, "other": RunStatus.FAILED,
    }  # fmt: skip
    assert not rig.leases.alive("e1")


def test_the_lease_is_given_back_when_the_engine_breaks(rig: Rig) -> None:
    rig.add(pipeline(step("a")))

    def broken(run: object) -> None:
        raise StoreError("its source is gone")

    rig.on_prepare = broken
    engine = rig.engine()
    with pytest.raises(StoreError, match="its source is gone"):
        engine.drive(["r"])
    assert not rig.leases.alive("e1")


def test_attempts_are_on_record_before_they_are_launched(rig: Rig) -> None:
    rig.add(pipeline(step("a")))
    engine = rig.engine()
    launch = engine.executor.launch

    def look_and_launch(orders: list[object]) -> None:
        assert rig.attempts("a") == ["running"]
        launch(orders)  # type: ignore[arg-type]

    engine.executor.launch = look_and_launch  # type: ignore[method-assign, assignment]
    engine.start(["r"])
    assert list(rig.working) == ["a"]


def test_told_only_what_was_committed(rig: Rig) -> None:
    rig.add(pipeline(step("a")))
    engine = rig.started()
    rig.events.clear()
    rig.done("a")
    rig.crash(engine, "before")
    assert rig.events == []
    rig.turn(rig.started(name="e2"))
    assert [(e.path, e.status) for e in rig.events] == [("a", "succeeded"), (None, "succeeded")]


# Admission.


def test_gpus_are_told_apart(rig: Rig) -> None:
    rig.capacity = Capacity(cpus=8, gpus=3, memory=1 << 30)
    rig.add(pipeline(*independent(4, gpus=1)))
    engine = rig.started()
    given = {path: rig.order(path).gpus for path in rig.working}
    assert given == {"s0": (0,), "s1": (1,), "s2": (2,)}
    rig.done("s1")
    rig.turn(engine)
    assert rig.order("s3").gpus == (1,)


def test_memory_and_custom_resources_are_kept_to(rig: Rig) -> None:
    rig.capacity = Capacity(cpus=9, memory=100, custom={"licence": 1.0})
    rig.add(
        pipeline(
            step("a", memory=60), step("b", memory=60),
            step("c", resources={"licence": 1.0}), step("d", resources={"licence": 0.5}),
        )
    )  # fmt: skip
    engine = rig.started()
    assert list(rig.working) == ["a", "c"]
    rig.done("c")
    rig.turn(engine)
    assert list(rig.working) == ["a", "d"]
    rig.done("a")
    rig.turn(engine)
    assert list(rig.working) == ["d", "b"]


@pytest.mark.parametrize("end", ["done", "fail", "die"])
def test_however_an_attempt_ends_its_place_is_free(rig: Rig, end: str) -> None:
    rig.capacity = Capacity(cpus=1)
    rig.add(pipeline(step("a"), step("b")))
    engine = rig.started()
    assert list(rig.working) == ["a"]
    getattr(rig, end)("a")
    rig.turn(engine)
    assert list(rig.working) == ["b"]


def test_what_does_not_fit_keeps_nothing_else_from_starting(rig: Rig) -> None:
    rig.add(pipeline(step("a"), step("wide", cpus=2), step("c"), step("d")))
    engine = rig.started()
    assert list(rig.working) == ["a", "c"]
    rig.done("c")
    rig.turn(engine)
    assert list(rig.working) == ["a", "d"]
    rig.done("a")
    rig.done("d")
    rig.turn(engine)
    assert list(rig.working) == ["wide"]


def test_a_result_is_reused_although_there_is_no_room(rig: Rig) -> None:
    rig.add(pipeline(step("old")), "before")
    engine = rig.started("before", name="e0")
    rig.finish(engine)
    rig.capacity = Capacity(cpus=1)
    rig.add(pipeline(step("busy"), step("waits"), step("old")))
    rig.started()
    assert rig.states() == {"busy": "running", "waits": "ready", "old": "reused"}


def test_a_held_task_that_another_engine_took_is_left_to_it(rig: Rig) -> None:
    rig.capacity = Capacity(cpus=1)
    rig.add(pipeline(step("a"), step("b")))
    first = rig.started()
    assert (rig.status("a"), rig.status("b")) == ("running", "ready")
    rig.started(name="e2")
    assert rig.status("b") == "running"
    rig.done("a")
    rig.turn(first)
    assert rig.attempts("b") == ["running"]
    assert rig.world.started == ["r.1.1", "r.2.1"]


# Retries and clocks.


@pytest.mark.parametrize("jump", [0.0, DAY, -DAY])
def test_a_retry_waits_by_a_clock_that_nobody_sets(rig: Rig, jump: float) -> None:
    rig.add(pipeline(step("a", retries=1, retry_delay=100.0)))
    engine = rig.started()
    rig.fail("a")
    rig.turn(engine)
    rig.wall += jump
    rig.turn(engine, 74.0)
    assert not rig.working
    rig.turn(engine, 52.0)
    assert list(rig.working) == ["a"]


@pytest.mark.parametrize(("jump", "waits"), [(0.0, True), (-DAY, True), (DAY, False)])
def test_a_wait_that_began_in_another_process_is_never_longer(
    rig: Rig, jump: float, waits: bool
) -> None:
    rig.add(pipeline(step("a", retries=1, retry_delay=100.0)))
    engine = rig.started()
    rig.fail("a")
    rig.turn(engine)
    rig.kill(engine)
    rig.wall += jump
    rig.ticks = 5.0  # of another process
    later = rig.started(name="e2")
    assert bool(rig.working) is not waits
    rig.turn(later, 126.0)
    assert list(rig.working) == ["a"]


def test_the_wait_for_outcomes_ends_when_a_retry_is_due(rig: Rig) -> None:
    rig.add(pipeline(step("a", retries=1, retry_delay=0.1)))
    engine = rig.started()
    rig.fail("a")
    rig.turn(engine)
    assert 0.0 < engine._patience() <= 0.125


def test_lost_attempts_begin_again_at_once(rig: Rig) -> None:
    rig.add(pipeline(step("a", retries=1, retry_delay=100.0)))
    engine = rig.started()
    rig.die("a")
    rig.turn(engine)
    assert list(rig.working) == ["a"]


# Wishes.


def test_pause_lets_attempts_end_and_starts_nothing(rig: Rig) -> None:
    rig.add(pipeline(*independent(3), step("after", {"x": "${{ steps.s0 }}"})))
    engine = rig.started()
    rig.wish(Wish.PAUSE)
    assert rig.turn(engine) == {}
    rig.done("s0")
    rig.turn(engine)
    assert list(rig.working) == ["s1"]
    rig.done("s1")
    assert rig.turn(engine) == {"r": RunStatus.PAUSED}
    assert rig.taken == []
    assert rig.states() == {"s0": "succeeded", "s1": "succeeded", "s2": "ready", "after": "ready"}
    rig.reopen()
    assert rig.finish(rig.started(name="e2")) is RunStatus.SUCCEEDED
    assert len(rig.world.started) == 4


def test_a_pause_that_is_undone_in_time(rig: Rig) -> None:
    rig.add(pipeline(*independent(3)))
    engine = rig.started()
    rig.wish(Wish.PAUSE)
    rig.turn(engine)
    rig.wish(Wish.RUN)
    rig.done("s0")
    rig.turn(engine)
    assert list(rig.working) == ["s1", "s2"]


def test_interrupt_takes_attempts_back_and_they_run_again_later(rig: Rig) -> None:
    rig.add(pipeline(step("a", retries=0), step("b")))
    engine = rig.started()
    engine.interrupt()
    assert rig.turn(engine) == {}
    assert {status for _, status in rig.taken} == {AttemptStatus.CANCELLED}
    assert rig.turn(engine) == {"r": RunStatus.PAUSED}
    assert rig.states() == {"a": "ready", "b": "ready"}
    assert rig.store.read.run("r").wish is Wish.PAUSE
    rig.reopen()
    assert rig.finish(rig.started(name="e2")) is RunStatus.SUCCEEDED
    assert rig.attempts("a") == ["cancelled", "succeeded"]


def test_what_ended_before_it_was_taken_away_counts(rig: Rig) -> None:
    rig.add(pipeline(step("a"), step("b", {"x": "${{ steps.a }}"})))
    engine = rig.started()
    rig.done("a", 5)
    engine.interrupt()
    rig.ticks += 1
    engine.turn([])  # its outcome is durable, but was not reported yet
    assert rig.turn(engine) == {"r": RunStatus.PAUSED}
    assert rig.output("a") == 5
    assert rig.states() == {"a": "succeeded", "b": "ready"}


def test_cancel_takes_attempts_away_for_good(rig: Rig) -> None:
    rig.add(pipeline(*independent(3), step("after", {"x": "${{ steps.s0 }}"})))
    engine = rig.started()
    rig.done("s0")
    rig.turn(engine)
    rig.wish(Wish.CANCEL)
    assert rig.turn(engine) == {}
    assert rig.turn(engine) == {"r": RunStatus.CANCELLED}
    assert rig.states() == {
        "s0": "succeeded", "s1": "cancelled", "s2": "cancelled", "after": "cancelled",
    }  # fmt: skip
    assert rig.attempts("s1") == ["cancelled"]


def test_an_attempt_is_asked_to_end_once(rig: Rig) -> None:
    rig.add(pipeline(step("a")))
    engine = rig.started()
    asked: list[str] = []
    engine.executor.terminate = lambda names, _: asked.extend(names)  # type: ignore[method-assign]
    rig.wish(Wish.CANCEL)
    for _ in range(3):
        rig.turn(engine)
    assert asked == ["r.1.1"]


def test_a_wish_for_one_run_leaves_the_other_alone(rig: Rig) -> None:
    rig.capacity = Capacity(cpus=9)
    rig.add(pipeline(step("a")), "r")
    rig.add(pipeline(step("b"), name="q"), "other")
    engine = rig.started("r", "other")
    rig.wish(Wish.CANCEL)
    rig.turn(engine)
    assert rig.turn(engine) == {"r": RunStatus.CANCELLED}
    assert list(rig.working) == ["other/b"]


def test_resume_of_failed_and_of_cancelled(rig: Rig) -> None:
    chain = (step("a"), step("bad", {"x": "${{ steps.a }}"}), step("c", {"x": "${{ steps.bad }}"}))
    rig.add(pipeline(*chain, step("free")))
    engine = rig.started()
    rig.done("a")
    rig.done("free")
    rig.turn(engine)
    rig.fail("bad")
    assert rig.turn(engine) == {"r": RunStatus.FAILED}
    assert rig.states() == {"a": "succeeded", "bad": "failed", "c": "blocked", "free": "succeeded"}
    assert rig.reopen() == 2
    second = rig.started(name="e2")
    rig.wish(Wish.CANCEL)
    rig.turn(second)
    assert rig.turn(second) == {"r": RunStatus.CANCELLED}
    assert rig.task("bad").error is None
    rig.reopen()
    assert rig.finish(rig.started(name="e3")) is RunStatus.SUCCEEDED
    assert rig.attempts("bad") == ["failed", "cancelled", "succeeded"]
    assert rig.attempts("a") == ["succeeded"]


# Crashes, and several engines.


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_outcome_counts_once_around_a_crash(rig: Rig, when: str) -> None:
    rig.add(pipeline(step("a"), step("b", {"x": "${{ steps.a }}"})))
    engine = rig.started()
    rig.done("a", 1)
    rig.crash(engine, when)
    later = rig.started(name="e2")
    rig.turn(later)
    assert rig.attempts("a") == ["succeeded"]
    if when == "after":  # `b` was on record but never launched: it is lost, and begins again
        assert rig.attempts("b") == ["lost", "running"]
    assert list(rig.working) == ["b"]
    assert rig.finish(later) is RunStatus.SUCCEEDED
    assert rig.world.started.count("r.1.1") == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_verdict_is_recorded_once_around_a_crash(rig: Rig, when: str) -> None:
    check = CheckpointNode(name="check", condition="${{ steps.a > 1 }}")
    rig.add(pipeline(step("a"), check, step("b", after=("check",), guards=("check",))))
    engine = rig.started()
    rig.done("a", 2)
    rig.crash(engine, when)
    assert rig.finish(rig.started(name="e2")) is RunStatus.SUCCEEDED
    verdicts = rig.store.read.verdicts("r")
    assert [(v.name, v.passed, v.values) for v in verdicts] == [("check", True, {"a": 2})]


def test_a_worker_that_outlived_its_engine_is_watched_to_its_end(rig: Rig) -> None:
    rig.add(pipeline(step("a")))
    rig.kill(rig.started())
    second = rig.started(name="e2")
    rig.done("a", 7)
    assert rig.turn(second) == {"r": RunStatus.SUCCEEDED}
    assert (rig.world.started, rig.output("a")) == (["r.1.1"], 7)


def test_an_idle_engine_takes_over_what_a_dead_one_left(rig: Rig) -> None:
    rig.capacity = Capacity(cpus=1)
    rig.add(pipeline(step("a"), step("b", {"x": "${{ steps.a }}"})))
    first = rig.started()
    second = rig.started(name="e2")
    rig.done("a", 1)
    rig.kill(first)
    rig.turn(second, 4.0)
    assert rig.status("a") == "running"
    rig.turn(second, 4.0)
    rig.turn(second)
    assert rig.states() == {"a": "succeeded", "b": "running"}


def test_two_engines_share_the_work_of_one_run(rig: Rig) -> None:
    rig.capacity = Capacity(cpus=1)
    rig.add(pipeline(*independent(6)))
    engines = [rig.started(name=name) for name in ("e1", "e2")]
    rest: dict[str, RunStatus] = {}
    for engine in itertools.islice(itertools.cycle(engines), 40):
        assert len(rig.working) <= 2
        for path in list(rig.working):
            rig.done(path)
        rest |= rig.turn(engine)
    assert rest == {"r": RunStatus.SUCCEEDED}
    assert engines[0]._runs == engines[1]._runs == []
    assert len(rig.world.started) == len(set(rig.world.started)) == 6


def test_an_outcome_that_a_fenced_engine_reports_changes_nothing(rig: Rig) -> None:
    rig.add(pipeline(step("a", retries=1, retry_delay=0.0)))
    first = rig.started()
    rig.kill(first)  # it only seems to be dead
    second = rig.started(name="e2")
    rig.fail("a")
    late = first.executor.wait(0)
    assert [outcome.attempt for outcome in late] == ["r.1.1"]
    rig.ticks += 1
    first.turn(late)
    assert rig.attempts("a")[0] == "running"
    assert rig.task("a").tries == 0
    rig.turn(second)
    assert rig.attempts("a") == ["failed", "running"]


# The same key twice.


def twins(rig: Rig) -> None:
    rig.capacity = Capacity(cpus=9)
    rig.add(pipeline(step("a", uses="m:same", seed=1, retries=0)), "r")
    rig.add(pipeline(step("b", uses="m:same", seed=1), name="q"), "other")


def test_the_second_of_the_same_key_waits_and_reuses(rig: Rig) -> None:
    twins(rig)
    first, second = rig.started("r"), rig.started("other", name="e2")
    assert rig.status("b", "other") == "waiting"
    assert rig.task("b", "other").reason == "r/a computes the same"
    rig.done("a", 5)
    rig.turn(first)
    assert rig.turn(second) == {"other": RunStatus.SUCCEEDED}
    assert (rig.status("b", "other"), rig.task("b", "other").source) == ("reused", "r/a")
    assert rig.world.started == ["r.1.1"]


@pytest.mark.parametrize("end", ["fail", "cancel", "interrupt", "impure"])
def test_who_waits_computes_it_when_the_other_does_not(rig: Rig, end: str) -> None:
    twins(rig)
    first, second = rig.started("r"), rig.started("other", name="e2")
    ends: dict[str, Callable[[], None]] = {
        "fail": lambda: rig.fail("a"),
        "cancel": lambda: rig.wish(Wish.CANCEL),
        "interrupt": first.interrupt,
        "impure": lambda: (rig.impure.add("a"), rig.done("a"))[1],
    }
    ends[end]()
    rig.turn(first)
    rig.turn(first)
    rig.turn(second)
    assert rig.status("b", "other") == "running"
    assert rig.finish(second) is RunStatus.SUCCEEDED


def test_a_lost_attempt_hands_its_key_to_one_of_those_who_wait(rig: Rig) -> None:
    twins(rig)
    first, second = rig.started("r"), rig.started("other", name="e2")
    rig.die("a")
    rig.turn(first)
    rig.turn(second)
    assert sorted([rig.status("a"), rig.status("b", "other")]) == ["running", "waiting"]
    assert len(rig.working) == 1


def test_a_key_of_a_dead_engine_is_woken_by_who_waits_for_it(rig: Rig) -> None:
    twins(rig)
    first, second = rig.started("r"), rig.started("other", name="e2")
    rig.kill(first)
    rig.done("a", 5)
    rig.turn(second, 6.0)
    rig.turn(second)
    assert rig.turn(second) | rig.store.read.counts("other")
    assert (rig.status("a"), rig.status("b", "other")) == ("succeeded", "reused")
    assert rig.run_status("r") is RunStatus.SUCCEEDED


def test_a_paused_run_that_waits_for_a_key_rests(rig: Rig) -> None:
    twins(rig)
    first, second = rig.started("r"), rig.started("other", name="e2")
    rig.wish(Wish.PAUSE, "other")
    assert rig.turn(second) == {"other": RunStatus.PAUSED}
    rig.done("a", 5)
    rig.turn(first)
    assert rig.status("b", "other") == "ready"
    rig.reopen("other")
    assert rig.started("other", name="e3")._runs == []
    assert rig.status("b", "other") == "reused"


def test_without_cache_everybody_computes(rig: Rig) -> None:
    same = {"uses": "m:same", "seed": 1, "cache": False}
    rig.add(pipeline(step("a", **same), step("b", **same)))
    rig.started()
    assert list(rig.working) == ["a", "b"]


def test_the_first_result_stands_and_a_different_second_one_is_noted(rig: Rig) -> None:
    twins(rig)
    rig.finish(rig.started("r"), lambda _: 5)
    rig.forced["other"] = frozenset({"b"})
    rig.finish(rig.started("other", name="e2"), lambda _: 6)
    assert rig.store.read.divergences("other") == [("b", "result", "r/a")]
    rig.add(pipeline(step("c", uses="m:same", seed=1)), "third")
    rig.started("third", name="e3")
    assert rig.output("c", run="third") == 5


# What is fair.


def test_a_wide_task_gets_its_turn(rig: Rig) -> None:
    rig.add(pipeline(step("n"), step("wide", cpus=2), *independent(30)))
    engine = rig.started()
    for _ in range(15):
        path = next(iter(rig.working))
        rig.done(path)
        rig.turn(engine)
    assert rig.status("wide") != "ready"


def test_many_tasks_that_wait_for_a_gpu_do_not_hide_others(rig: Rig) -> None:
    rig.capacity = Capacity(cpus=4, gpus=1)
    rig.add(pipeline(*independent(LOOK_AHEAD + 2, gpus=1), step("plain")))
    engine = rig.started()
    rig.turn(engine)
    assert "plain" in rig.working


def test_an_adopted_attempt_keeps_its_gpu(rig: Rig) -> None:
    rig.capacity = Capacity(cpus=4, gpus=1)
    rig.add(pipeline(step("a", gpus=1), step("b", gpus=1)))
    rig.kill(rig.started())
    rig.turn(rig.started(name="e2"))
    assert list(rig.working) == ["a"]


def test_cancel_reaches_an_attempt_that_another_runs_engine_adopted(rig: Rig) -> None:
    rig.add(pipeline(step("a")), "r")
    rig.kill(rig.started("r"))
    rig.add(pipeline(step("b"), name="q"), "other")
    other = rig.started("other", name="e2")  # takes r's attempt over
    rig.wish(Wish.CANCEL, "r")
    client = rig.started("r", name="e3")
    for _ in range(5):
        rig.turn(other)
        rig.turn(client)
    assert rig.run_status("r") is RunStatus.CANCELLED


def test_an_adopted_attempt_of_a_run_that_cannot_be_loaded_harms_no_other(rig: Rig) -> None:
    rig.add(pipeline(step("a")), "r")
    rig.kill(rig.started("r"))
    rig.done("a")
    rig.add(pipeline(step("b"), name="q"), "other")

    def broken(run: object) -> None:
        if getattr(run, "id", "") == "r":
            raise StoreError("its source is gone")

    rig.on_prepare = broken
    engine = rig.started("other", name="e2")
    assert rig.finish(engine) is RunStatus.SUCCEEDED


def test_nothing_is_claimed_after_a_pause_was_written(rig: Rig) -> None:
    rig.capacity = Capacity(cpus=1)
    rig.add(pipeline(*independent(2)))
    engine = rig.started()
    rig.wish(Wish.PAUSE)
    rig.done("s0")
    rig.turn(engine, 0.01)
    assert rig.working == {}


def test_a_wait_from_another_process_is_an_hour_and_a_quarter_at_most(rig: Rig) -> None:
    rig.add(pipeline(step("a", retries=30, retry_delay=1.0)))
    engine = rig.started()
    for _ in range(20):
        rig.fail("a")
        rig.turn(engine)
        rig.turn(engine, 4500.0)
    rig.fail("a")
    rig.turn(engine)
    rig.kill(engine)
    rig.wall -= 30 * DAY
    rig.ticks = 0.0
    later = rig.started(name="e2")
    rig.turn(later, 4501.0)
    assert list(rig.working) == ["a"]
