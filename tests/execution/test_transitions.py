"""The rules: what an attempt's end, or a decision, does to a task, its map, its repeat, its run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.execution.rig import RAISED, Rig, pipeline, step

from mainspring.execution.transitions import CHUNK, MAX_LOST, back_off, error_of
from mainspring.records.errors import DefinitionError, ParameterError
from mainspring.records.runs import Order
from mainspring.records.spec import CheckpointNode, Parameter, PipelineSpec, RepeatNode
from mainspring.records.status import AttemptStatus, RunStatus, Wish


@pytest.fixture
def rig() -> Rig:
    return Rig(cpus=1000.0)


# How attempts end.


@given(st.floats(0, 1e6), st.integers(1, 200), st.text(max_size=20))
def test_back_off_doubles_with_a_quarter_of_jitter_up_to_an_hour(
    delay: float, number: int, attempt: str
) -> None:
    found = back_off(delay, number, attempt)
    whole = min(3600.0, delay * 2 ** (number - 1))
    assert 0.75 * whole <= found <= 1.25 * whole
    assert found == back_off(delay, number, attempt)


def test_jitter_differs_from_attempt_to_attempt() -> None:
    assert len({back_off(1.0, 1, f"r.{n}.1") for n in range(50)}) == 50


def test_back_off_of_a_very_patient_step() -> None:
    assert back_off(1.0, 5000, "r.1.5000") <= 4500.0


@pytest.mark.parametrize("end", [AttemptStatus.FAILED, AttemptStatus.TIMED_OUT])
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_step_is_tried_once_and_retried_so_many_times(
    rig: Rig, end: AttemptStatus, retries: int
) -> None:
    rig.add(pipeline(step("a", retries=retries, retry_delay=1.0)))
    engine = rig.started()
    rest: dict[str, RunStatus] = {}
    for _ in range(retries + 1):
        rig.fail("a", end)
        rest = rig.turn(engine)
        rest |= rig.turn(engine, 3600.0)
    assert rig.attempts("a") == [end.value] * (retries + 1)
    assert rig.run_status() is RunStatus.FAILED
    assert rig.task("a").error == RAISED
    assert not rig.working


def test_a_retry_that_works(rig: Rig) -> None:
    rig.add(pipeline(step("a", retries=2, retry_delay=0.0), step("b", {"x": "${{ steps.a }}"})))
    engine = rig.started()
    rig.fail("a")
    rig.turn(engine)
    first, again = rig.store.read.attempts(rig.task("a").id)
    assert (first.error, again.number) == (RAISED, 2)
    assert rig.task("a").reason == "not computed before"  # why it ran in the first place
    assert rig.finish(engine) is RunStatus.SUCCEEDED
    assert rig.task("a").error is None


def test_five_losses_in_a_row_are_enough(rig: Rig) -> None:
    rig.add(pipeline(step("a"), step("b", {"x": "${{ steps.a }}"})))
    engine = rig.started()
    for number in range(1, MAX_LOST + 1):
        assert len(rig.attempts("a")) == number
        rig.die("a")
        rig.turn(engine)
    assert rig.attempts("a") == ["lost"] * 5
    error = rig.task("a").error
    assert error is not None
    assert (error.kind, "died 5 times in a row" in error.message) == ("lost", True)
    assert rig.states() == {"a": "failed", "b": "blocked"}


def test_losses_use_up_no_retries_and_a_failure_ends_the_row(rig: Rig) -> None:
    rig.add(pipeline(step("a", retries=1, retry_delay=0.0)))
    engine = rig.started()
    for end in ("die", "die", "die", "die", "fail", "die", "die", "die", "die", "done"):
        getattr(rig, end)("a")
        rig.turn(engine)
    assert rig.run_status() is RunStatus.SUCCEEDED
    assert rig.attempts("a") == ["lost"] * 4 + ["failed"] + ["lost"] * 4 + ["succeeded"]


def test_taking_back_uses_up_neither(rig: Rig) -> None:
    rig.add(pipeline(step("a", retries=1, retry_delay=0.0)))
    for _ in range(MAX_LOST + 2):
        engine = rig.started()
        engine.interrupt()
        rig.turn(engine)
        assert rig.turn(engine) == {"r": RunStatus.PAUSED}
        rig.reopen()
    assert (rig.task("a").tries, rig.task("a").lost) == (0, 0)
    assert rig.finish(rig.started()) is RunStatus.SUCCEEDED


def test_resume_gives_all_retries_anew(rig: Rig) -> None:
    rig.add(pipeline(step("a", retries=1, retry_delay=0.0)))
    for _ in range(2):
        engine = rig.started()
        rig.fail("a")
        rig.turn(engine)
        rig.fail("a")
        assert rig.turn(engine) == {"r": RunStatus.FAILED}
        rig.reopen()
    assert rig.attempts("a") == ["failed"] * 4


# What a failure stops, and what it does not.


def test_a_failure_blocks_what_depends_on_it_and_nothing_else(rig: Rig) -> None:
    rig.add(
        pipeline(
            step("bad"),
            step("reads", {"x": "${{ steps.bad }}"}),
            step("reads_that", {"x": "${{ steps.reads }}"}),
            step("after", after=("bad",)),
            step("joins", {"x": "${{ steps.bad }}"}, join=True),
            step("free"),
            step("free_too", {"x": "${{ steps.free }}"}),
        )
    )
    engine = rig.started()
    rig.fail("bad")
    rig.turn(engine)
    assert rig.finish(engine) is RunStatus.FAILED
    assert rig.states() == {
        "bad": "failed", "reads": "blocked", "reads_that": "blocked", "after": "blocked",
        "joins": "blocked", "free": "succeeded", "free_too": "succeeded",
    }  # fmt: skip
    for path, because in (("reads", "bad "), ("reads_that", "reads "), ("after", "bad ")):
        assert (rig.task(path).reason or "").startswith(because)


def test_a_false_condition_skips_what_reads_it_but_not_what_joins(rig: Rig) -> None:
    rig.add(
        pipeline(
            step("a"),
            step("maybe", {"x": 1}, when="steps.a > 10"),
            step("reads", {"x": "${{ steps.maybe }}"}),
            step("after", after=("maybe",)),
            step("joins", {"x": "${{ steps.maybe }}", "y": "${{ steps.a }}"}, join=True),
        )
    )
    seen: dict[str, Any] = {}

    def compute(order: Order) -> int:
        seen[order.path] = rig.values(order)
        return 3

    assert rig.finish(rig.started(), compute) is RunStatus.SUCCEEDED
    assert (rig.status("maybe"), rig.status("reads")) == ("skipped", "skipped")
    assert rig.task("maybe").reason == "its condition is false: steps.a > 10"
    assert seen == {"a": {}, "after": {}, "joins": {"x": None, "y": 3}}


def test_an_expression_that_fails_on_the_values_is_the_tasks_own_fault(rig: Rig) -> None:
    rig.add(pipeline(step("a"), step("b", {"x": "${{ steps.a / 0 }}"}), step("c")))
    engine = rig.started()
    assert rig.finish(engine, lambda _: 1) is RunStatus.FAILED
    error = rig.task("b").error
    assert error is not None
    assert error.kind == "definition"
    assert "zero" in error.message
    assert rig.status("c") == "succeeded"
    assert rig.attempts("b") == []


def test_errors_are_recorded_by_their_kind() -> None:
    error = ParameterError("no such", where="a.py:3", hint="say which")
    found = error_of(error)
    assert (found.kind, found.message, found.where, found.hint) == (
        "parameter", "no such", "a.py:3", "say which",
    )  # fmt: skip
    bare = error_of(DefinitionError("wrong"))
    assert (bare.kind, bare.where, bare.hint) == ("definition", "", "")


# Checkpoints.


def gated(on_fail: str) -> PipelineSpec:
    check = CheckpointNode(
        name="check", condition="${{ steps.a > 5 }}", on_fail=on_fail, where="flow.py:9"
    )  # type: ignore[arg-type]
    return pipeline(step("a"), check, step("b", guards=("check",)))


def test_a_checkpoint_that_stops(rig: Rig) -> None:
    rig.add(gated("stop"))
    assert rig.finish(rig.started(), lambda _: 3) is RunStatus.FAILED
    error = rig.task("check").error
    assert error is not None
    assert (error.kind, error.where) == ("checkpoint", "flow.py:9")
    assert error.message == "steps.a > 5 does not hold: a = 3"
    assert (rig.status("b"), rig.task("b").reason) == ("blocked", "check did not pass")
    (verdict,) = rig.store.read.verdicts("r")
    ref = rig.store.read.outputs(rig.task("a").id)["result"]
    assert (verdict.passed, verdict.values, verdict.evidence) == (
        False, {"a": 3}, {"a.result": ref.digest},
    )  # fmt: skip


def test_a_checkpoint_that_warns(rig: Rig) -> None:
    rig.add(gated("warn"))
    assert rig.finish(rig.started(), lambda _: 3) is RunStatus.SUCCEEDED
    assert rig.task("check").reason == "did not pass (warning): a = 3"
    assert [v.passed for v in rig.store.read.verdicts("r")] == [False]


def test_a_resumed_run_is_judged_again_and_both_verdicts_stay(rig: Rig) -> None:
    rig.add(gated("stop"))
    rig.finish(rig.started(), lambda _: 3)
    rig.reopen()
    assert rig.engine().start(["r"]) == {"r": RunStatus.FAILED}
    first, second = rig.store.read.verdicts("r")
    assert second.previous == first.digest


# Maps.


def mapped(count: int, **options: Any) -> PipelineSpec:
    return pipeline(
        step("numbers", {"n": count}),
        step("each", {"x": "${{ steps.numbers }}", "k": 10}, map=("x",), **options),
        step("total", {"xs": "${{ steps.each }}"}),
    )


def worker(rig: Rig) -> Any:
    def compute(order: Order) -> Any:
        values = rig.values(order)
        if order.path == "numbers":
            return list(range(values["n"]))
        return sum(values["xs"]) if order.path == "total" else values["x"] * values["k"]

    return compute


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_map_of_so_many_elements(rig: Rig, count: int) -> None:
    rig.add(mapped(count))
    assert rig.finish(rig.started(), worker(rig)) is RunStatus.SUCCEEDED
    assert rig.output("each") == [10 * n for n in range(count)]
    assert rig.output("total") == 10 * sum(range(count))
    assert rig.task("each").reason == f"{count} element{'' if count == 1 else 's'}"


def test_a_large_map_grows_in_chunks_and_never_twice(rig: Rig) -> None:
    rig.capacity = rig.capacity.__class__(cpus=200.0)
    count = 2 * CHUNK + 7
    rig.add(mapped(count))
    engine = rig.started()
    rig.done("numbers", list(range(count)))
    rig.turn(engine)
    assert rig.task("each").expanded == CHUNK
    assert rig.task("each").pending == rig.task("each").total == count
    seen = {rig.task("each").expanded}
    rest: dict[str, RunStatus] = {}
    compute = worker(rig)
    while not rest:
        for path in list(rig.working):
            rig.done(path, compute(rig.order(path)))
        rest = rig.turn(engine)
        seen.add(rig.task("each").expanded)
    assert seen == {CHUNK, 2 * CHUNK, count}
    assert rig.output("total") == 10 * sum(range(count))
    assert len(rig.world.started) == len(set(rig.world.started)) == count + 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_map_whose_engine_dies_while_it_grows(rig: Rig, when: str) -> None:
    rig.capacity = rig.capacity.__class__(cpus=100.0)
    count = CHUNK + 50
    rig.add(mapped(count))
    engine = rig.started()
    rig.done("numbers", list(range(count)))
    rig.crash(engine, when)
    assert rig.finish(rig.started(name="e2"), worker(rig)) is RunStatus.SUCCEEDED
    assert rig.output("total") == 10 * sum(range(count))
    paths = [task.path for task in rig.store.read.tasks("r")]
    assert len(paths) == len(set(paths)) == count + 3


def test_failed_elements_fail_their_map_and_only_they_run_again(rig: Rig) -> None:
    rig.add(mapped(8))
    engine = rig.started()
    rig.done("numbers", list(range(8)))
    rig.turn(engine)
    for index in range(8):
        if index == 5:
            rig.done("each[5]", 50)
        else:
            rig.fail(f"each[{index}]")
    assert rig.turn(engine) == {"r": RunStatus.FAILED}
    error = rig.task("each").error
    assert error is not None
    assert error.message == "7 of 8 elements did not succeed: 0, 1, 2, 3, 4, …"
    assert rig.status("total") == "blocked"
    rig.reopen()
    assert rig.finish(rig.started(name="e2"), worker(rig)) is RunStatus.SUCCEEDED
    assert rig.attempts("each[5]") == ["succeeded"]
    assert rig.attempts("each[4]") == ["failed", "succeeded"]
    assert rig.output("total") == 280


def test_one_failed_element_lets_the_others_end(rig: Rig) -> None:
    rig.capacity = rig.capacity.__class__(cpus=1.0)
    rig.add(mapped(3))
    engine = rig.started()
    rig.done("numbers", [0, 1, 2])
    rig.turn(engine)
    rig.fail("each[0]")
    rig.turn(engine)
    assert list(rig.working) == ["each[1]"]
    assert rig.status("each") == "open"
    assert rig.finish(engine, worker(rig)) is RunStatus.FAILED
    assert rig.status("each[2]") == "succeeded"


def test_cancel_of_a_map_that_has_not_grown_to_its_end(rig: Rig) -> None:
    rig.capacity = rig.capacity.__class__(cpus=3.0)
    count = CHUNK + 5
    rig.add(mapped(count))
    engine = rig.started()
    rig.done("numbers", list(range(count)))
    rig.turn(engine)
    rig.wish(Wish.CANCEL)
    rig.turn(engine)
    assert rig.turn(engine) == {"r": RunStatus.CANCELLED}
    rig.reopen()
    rig.capacity = rig.capacity.__class__(cpus=1000.0)
    assert rig.finish(rig.started(name="e2"), worker(rig)) is RunStatus.SUCCEEDED
    assert rig.output("total") == 10 * sum(range(count))


def test_an_element_that_was_computed_before_is_reused(rig: Rig) -> None:
    rig.add(mapped(3), "before")
    rig.finish(rig.started("before", name="e0"), worker(rig))
    rig.add(mapped(5))
    assert rig.finish(rig.started(), worker(rig)) is RunStatus.SUCCEEDED
    states = rig.states()
    assert [states[f"each[{n}]"] for n in range(5)] == ["reused"] * 3 + ["succeeded"] * 2
    assert rig.task("each[1]").source == "before/each[1]"


def test_what_cannot_be_mapped_over_is_said(rig: Rig) -> None:
    rig.add(mapped(3))
    assert rig.finish(rig.started(), lambda _: 7) is RunStatus.FAILED
    error = rig.task("each").error
    assert error is not None
    assert "map needs a list for 'x'" in error.message


# Repeats.


def repeating(until: str, limit: int, exhausted: str = "continue") -> PipelineSpec:
    body = pipeline(
        step("inc", {"a": "${{ parameters.x }}"}),
        name="body", parameters={"x": Parameter(type="int")}, outputs={"x": "${{ steps.inc }}"},
    )  # fmt: skip
    loop = RepeatNode(
        name="loop", pipeline=body, bindings={"x": 0}, until=until, max=limit, carry={"x": "x"},
        exhausted=exhausted,
    )  # type: ignore[arg-type]  # fmt: skip
    return pipeline(loop, step("last", {"a": "${{ steps.loop.x }}"}))


def plus_one(rig: Rig) -> Any:
    return lambda order: rig.values(order)["a"] + 1


def test_a_repeat_ends_when_its_condition_holds(rig: Rig) -> None:
    rig.add(repeating("outputs.x >= 3", 9))
    assert rig.finish(rig.started(), plus_one(rig)) is RunStatus.SUCCEEDED
    assert [path for path in rig.states() if "#" in path] == [f"loop#{n}/inc" for n in (1, 2, 3)]
    assert (rig.output("loop", "x"), rig.output("loop", "rounds"), rig.output("last")) == (3, 3, 4)
    assert rig.task("loop").reason == "3 rounds"


def test_a_repeat_without_end_stops_at_its_limit(rig: Rig) -> None:
    rig.add(repeating("outputs.x > 100", 2))
    assert rig.finish(rig.started(), plus_one(rig)) is RunStatus.SUCCEEDED
    assert rig.task("loop").reason == "2 rounds, `until` never held"
    assert rig.output("last") == 3


def test_a_repeat_that_must_hold(rig: Rig) -> None:
    rig.add(repeating("outputs.x > 100", 2, "fail"))
    assert rig.finish(rig.started(), plus_one(rig)) is RunStatus.FAILED
    error = rig.task("loop").error
    assert error is not None
    assert error.message == "`until` did not hold after 2 rounds"
    assert rig.status("last") == "blocked"


def test_a_failed_round_is_taken_up_where_it_failed(rig: Rig) -> None:
    rig.add(repeating("outputs.x >= 3", 9))
    engine = rig.started()
    rig.done("loop#1/inc", 1)
    rig.turn(engine)
    rig.fail("loop#2/inc")
    assert rig.turn(engine) == {"r": RunStatus.FAILED}
    error = rig.task("loop").error
    assert error is not None
    assert error.message.startswith("round 2: loop#2/inc ")
    rig.reopen()
    assert rig.finish(rig.started(name="e2"), plus_one(rig)) is RunStatus.SUCCEEDED
    assert rig.attempts("loop#1/inc") == ["succeeded"]
    assert rig.output("last") == 4


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_round_is_added_once_around_a_crash(rig: Rig, when: str) -> None:
    rig.add(repeating("outputs.x >= 3", 9))
    engine = rig.started()
    rig.done("loop#1/inc", 1)
    rig.crash(engine, when)
    assert rig.finish(rig.started(name="e2"), plus_one(rig)) is RunStatus.SUCCEEDED
    assert [path for path in rig.states() if "#" in path] == [f"loop#{n}/inc" for n in (1, 2, 3)]
    assert rig.output("last") == 4


def test_until_that_cannot_be_computed(rig: Rig) -> None:
    rig.add(repeating("outputs.x > 'a'", 9))
    assert rig.finish(rig.started(), plus_one(rig)) is RunStatus.FAILED
    error = rig.task("loop").error
    assert error is not None
    assert error.kind == "definition"


# Ends of runs.


def test_an_empty_pipeline_succeeds(rig: Rig) -> None:
    rig.add(pipeline())
    engine = rig.engine()
    assert engine.start(["r"]) == {"r": RunStatus.SUCCEEDED}


def test_a_cancel_before_anything_began(rig: Rig) -> None:
    rig.add(pipeline(step("a")))
    rig.wish(Wish.CANCEL)
    assert rig.engine().start(["r"]) == {"r": RunStatus.CANCELLED}
    assert rig.world.started == []


def test_times_of_a_run(rig: Rig) -> None:
    rig.add(pipeline(step("a")))
    begun = rig.wall
    rig.finish(rig.started())
    record = rig.store.read.run("r")
    assert (record.started, record.ended) == (begun, rig.wall)
    rig.reopen()
    assert rig.store.read.run("r").ended is None


def test_a_run_ends_once_although_two_engines_see_it_end(rig: Rig) -> None:
    rig.add(pipeline(step("a")))
    first, second = rig.started(), rig.started(name="e2")
    rig.done("a")
    rig.turn(first)
    ended = rig.store.read.run("r").ended
    assert rig.turn(second) == {"r": RunStatus.SUCCEEDED}
    assert rig.store.read.run("r").ended == ended
    assert [e.status for e in rig.events if e.path is None] == ["succeeded"]
