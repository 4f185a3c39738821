"""Plans: what is certain is decided, the rest is unknown; a run then does what was planned."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.planning.lab import Lab, check, choices, group, mapped, options, planned, spec, step

from mainspring.records.errors import DefinitionError
from mainspring.records.plan import Choice, Plan, PlannedTask
from mainspring.records.runs import Read, Task
from mainspring.records.spec import Parameter, PipelineSpec, RepeatNode
from mainspring.records.status import TaskStatus

REUSE, RUN, SKIP = Choice.REUSE, Choice.RUN, Choice.SKIP
UNKNOWN, DECIDE, FAIL = Choice.UNKNOWN, Choice.DECIDE, Choice.FAIL

X = {"x": Parameter(default=1)}
CHAIN = spec(
    step("a", a="${{ parameters.x }}"),
    step("b", a="${{ steps.a }}"),
    step("c", a="${{ steps.b }}", b="${{ steps.a }}"),
    step("apart", a=5),
    parameters=X,
)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_nothing_was_computed_before(lab: Lab) -> None:
    plan = lab.plan(CHAIN, x=1)
    assert choices(plan) == {"a": RUN, "b": UNKNOWN, "c": UNKNOWN, "apart": RUN}
    assert planned(plan, "a").reason == "not computed before"
    assert planned(plan, "b").reason == "until a is settled"
    assert planned(plan, "c").reason == "until b and 1 more are settled"
    assert planned(plan, "c").deps == ("b", "a")
    assert (planned(plan, "a").key is None, planned(plan, "b").key) == (False, None)


def test_everything_was_computed_before(lab: Lab) -> None:
    run = lab.run(CHAIN, x=1)
    plan = lab.plan(CHAIN, x=1)
    assert set(choices(plan).values()) == {REUSE}
    assert planned(plan, "c").source == f"{run}/c"
    assert lab.artifacts.value(planned(plan, "c").outputs["result"]) == 2


def test_a_change_is_seen_as_far_as_it_goes(lab: Lab) -> None:
    lab.run(CHAIN, x=1)
    plan = lab.plan(CHAIN, x=2)
    assert choices(plan) == {"a": RUN, "b": UNKNOWN, "c": UNKNOWN, "apart": REUSE}
    assert planned(plan, "a").reason == "parameter a 1 → 2"


def test_a_change_that_changes_nothing_downstream(lab: Lab) -> None:
    """`add` counts modulo 7: of what comes after a, nothing has to run again."""
    lab.run(CHAIN, x=1)
    run = lab.run(CHAIN, x=8)
    assert lab.statuses(run) == {
        "a": "succeeded", "b": "reused", "c": "reused", "apart": "reused",
    }  # fmt: skip


def test_the_plan_says_what_it_is_of(lab: Lab) -> None:
    plan = lab.plan(CHAIN, x=3)
    assert (plan.pipeline, plan.parameters, plan.seed) == ("p", {"x": 3}, 0)
    assert (plan.spec, plan.snapshot) == ("blake3:spec", "blake3:source")
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_planning_leaves_no_trace(lab: Lab) -> None:
    lab.run(CHAIN, x=1)
    before = lab.store.read.version()
    assert lab.plan(CHAIN, x=2) == lab.plan(CHAIN, x=2)
    assert lab.store.read.version() == before


def test_a_broken_pipeline_is_refused(lab: Lab) -> None:
    with pytest.raises(DefinitionError, match="'nope'"):
        lab.plan(spec(step("a", a="${{ steps.nope }}")))


def test_the_expected_time_is_of_what_will_not_be_reused(lab: Lab) -> None:
    assert lab.plan(CHAIN, x=1).expected is None
    lab.run(CHAIN, x=1)
    assert planned(lab.plan(CHAIN, x=1), "a").expected == 2.0
    assert lab.plan(CHAIN, x=1).expected is None
    assert lab.plan(CHAIN, x=2).expected == 6.0  # a, b, c


def test_a_lost_blob_is_computed_again_and_what_follows_is_unknown(lab: Lab) -> None:
    run = lab.run(CHAIN, x=1)
    lab.artifacts.forget(lab.store.read.outputs(lab.tasks(run)["b"].id)["result"])
    plan = lab.plan(CHAIN, x=1)
    # a, b and c come to 1, 1 and 2: only b's blob, which a's is too, is gone.
    assert choices(plan) == {"a": RUN, "b": UNKNOWN, "c": UNKNOWN, "apart": REUSE}
    assert planned(plan, "a").reason == "the stored output result of r1 is gone or damaged"


def test_forcing(lab: Lab) -> None:
    lab.run(CHAIN, x=1)
    plan = lab.plan(CHAIN, {"b"}, x=1)
    assert choices(plan) == {"a": REUSE, "b": RUN, "c": UNKNOWN, "apart": REUSE}
    assert planned(plan, "b").reason == "asked to run again"


def test_conditions_that_are_known_already(lab: Lab) -> None:
    pipeline = spec(
        step("a", a=1),
        step("yes", when="steps.a == 1"),
        step("no", when="steps.a == 2"),
        step("after_no", a="${{ steps.no }}"),
        step("join", a="${{ steps.no }}", b="${{ steps.yes }}", options=options(join=True)),
    )
    assert choices(lab.plan(pipeline)) == {
        "a": RUN, "yes": UNKNOWN, "no": UNKNOWN, "after_no": UNKNOWN, "join": UNKNOWN,
    }  # fmt: skip
    run = lab.run(pipeline)
    assert lab.statuses(run) == {
        "a": "succeeded", "yes": "succeeded", "no": "skipped", "after_no": "skipped",
        "join": "succeeded",
    }  # fmt: skip
    plan = lab.plan(pipeline)
    assert choices(plan) == {
        "a": REUSE, "yes": REUSE, "no": SKIP, "after_no": SKIP, "join": REUSE,
    }  # fmt: skip
    assert planned(plan, "no").reason == "its condition is false: steps.a == 2"
    assert planned(plan, "after_no").reason == "no was skipped"


def test_checkpoints(lab: Lab) -> None:
    def pipeline(on_fail: str) -> PipelineSpec:
        return spec(
            step("a", a=3),
            check("low", "steps.a > 1"),
            check("high", "steps.a > 5", on_fail=on_fail),
            step("go", guards=("low",)),
            step("stop", guards=("high",)),
            step("after_stop", a="${{ steps.stop }}"),
        )

    lab.run(pipeline("stop"))
    plan = lab.plan(pipeline("stop"))
    assert choices(plan) == {
        "a": REUSE, "low": DECIDE, "high": FAIL, "go": REUSE, "stop": SKIP, "after_stop": SKIP,
    }  # fmt: skip
    assert planned(plan, "low").reason == "passes: steps.a > 1"
    assert planned(plan, "high").reason == "does not pass: steps.a > 5"
    assert planned(plan, "stop").reason == "high did not pass"
    assert planned(plan, "after_stop").reason == "stop was blocked"
    warned = lab.plan(pipeline("warn"))
    assert (planned(warned, "high").choice, planned(warned, "stop").choice) == (DECIDE, RUN)


def test_faults_fail_and_block(lab: Lab) -> None:
    pipeline = spec(
        step("a", a=1),
        step("wrong", a="${{ steps.a.nope }}"),
        mapped("flat", "a", a="${{ steps.a }}", where="p.py:8"),
        step("after_wrong", a="${{ steps.wrong }}"),
    )
    run = lab.run(pipeline)
    assert lab.statuses(run) == {
        "a": "succeeded", "wrong": "failed", "flat": "failed", "after_wrong": "blocked",
    }  # fmt: skip
    plan = lab.plan(pipeline)
    assert choices(plan) == {"a": REUSE, "wrong": FAIL, "flat": FAIL, "after_wrong": SKIP}
    assert "p.py:8: map needs a list" in planned(plan, "flat").reason
    assert planned(plan, "after_wrong").reason == "wrong failed"


# Maps.

MAPPED = spec(
    mapped("m", "a", a="${{ parameters.xs }}", b=1),
    step("total", "sum", xs="${{ steps.m }}"),
    parameters={"xs": Parameter()},
)


def test_a_map_that_is_known(lab: Lab) -> None:
    plan = lab.plan(MAPPED, xs=[1, 2])
    assert choices(plan) == {"m": RUN, "m[0]": RUN, "m[1]": RUN, "total": UNKNOWN}
    assert [task.kind for task in plan.tasks] == ["map", "element", "element", "step"]
    assert planned(plan, "m").reason == "2 of 2 elements run: not computed before"
    assert planned(plan, "m[0]").node == "m"


def test_a_map_that_is_not_known_yet(lab: Lab) -> None:
    plan = lab.plan(spec(step("n", "count", n=2), mapped("m", "a", a="${{ steps.n }}")))
    assert choices(plan) == {"n": RUN, "m": UNKNOWN}


def test_a_map_that_is_partly_reused(lab: Lab) -> None:
    lab.run(MAPPED, xs=[1, 2, 3])
    plan = lab.plan(MAPPED, xs=[0, 3, 2])
    assert choices(plan) == {
        "m": RUN, "m[0]": RUN, "m[1]": REUSE, "m[2]": REUSE, "total": UNKNOWN,
    }  # fmt: skip
    assert planned(plan, "m").reason.startswith("1 of 3 elements run: parameter a 1 → 0")
    assert planned(plan, "m[1]").source == "r1/m[2]"


def test_a_map_that_is_wholly_reused_is_known_downstream(lab: Lab) -> None:
    lab.run(MAPPED, xs=[1, 2])
    plan = lab.plan(MAPPED, xs=[1, 2])
    assert set(choices(plan).values()) == {REUSE}
    assert planned(plan, "m").reason == "all 2 elements are reused"
    # The same elements in another order are another list.
    assert choices(lab.plan(MAPPED, xs=[2, 1]))["total"] is RUN


def test_a_map_over_objects(lab: Lab) -> None:
    """Their elements go to a step by reference; plan and run agree on their keys."""
    pipeline = spec(
        step("ps", "points", n="${{ parameters.x }}"),
        mapped("m", "a", a="${{ steps.ps }}", b=1),
        parameters=X,
    )
    lab.run(pipeline, x=2)
    assert lab.result("r1", "m") == [1, 2]
    assert set(choices(lab.plan(pipeline, x=2)).values()) == {REUSE}
    lab.run(pipeline, x=3)
    assert lab.statuses("r2") == {
        "ps": "succeeded", "m": "succeeded", "m[0]": "reused", "m[1]": "reused",
        "m[2]": "succeeded",
    }  # fmt: skip


def test_a_map_over_nothing_runs_nothing(lab: Lab) -> None:
    plan = lab.plan(MAPPED, xs=[])
    assert choices(plan) == {"m": REUSE, "total": RUN}


# Repeats.

COUNTING = spec(
    step("inc", a="${{ parameters.n }}", b=1),
    name="counting",
    parameters={"n": Parameter()},
    outputs={"n": "${{ steps.inc }}"},
)


def counting(**more: Any) -> PipelineSpec:
    fields: dict[str, Any] = {"until": "outputs.n >= 3", "max": 5, "carry": {"n": "n"}}
    node = RepeatNode(name="loop", pipeline=COUNTING, bindings={"n": "${{ parameters.start }}"},
                      **{**fields, **more})  # fmt: skip
    return spec(node, step("use", a="${{ steps.loop.n }}"), parameters={"start": Parameter()})


def test_the_first_round_of_a_repeat_is_known(lab: Lab) -> None:
    plan = lab.plan(counting(), start=0)
    assert choices(plan) == {"loop": RUN, "loop#1/inc": RUN, "use": UNKNOWN}
    assert planned(plan, "loop").reason == "round 1 has tasks to run"


def test_a_repeat_is_played_back_from_history(lab: Lab) -> None:
    lab.run(counting(), start=0)
    plan = lab.plan(counting(), start=0)
    assert choices(plan) == {
        "loop": REUSE, "loop#1/inc": REUSE, "loop#2/inc": REUSE, "loop#3/inc": REUSE, "use": REUSE,
    }  # fmt: skip
    assert planned(plan, "loop").reason == "3 rounds"


def test_a_repeat_that_goes_on_longer_than_before(lab: Lab) -> None:
    lab.run(counting(), start=0)
    plan = lab.plan(counting(until="outputs.n >= 4"), start=0)
    assert list(choices(plan)) == ["loop", *(f"loop#{i}/inc" for i in range(1, 5)), "use"]
    assert choices(plan)["loop#3/inc"] is REUSE
    assert choices(plan)["loop#4/inc"] is RUN
    assert planned(plan, "loop").reason == "round 4 has tasks to run"


def test_a_repeat_that_will_not_come_to_its_end(lab: Lab) -> None:
    pipeline = counting(until="outputs.n > 100", max=3, exhausted="fail")
    run = lab.run(pipeline, start=0)
    assert lab.statuses(run)["loop"] == "failed"
    plan = lab.plan(pipeline, start=0)
    assert (planned(plan, "loop").choice, planned(plan, "use").choice) == (FAIL, SKIP)
    assert planned(plan, "loop").reason == "`until` did not hold after 3 rounds"


def test_a_repeat_whose_until_is_wrong(lab: Lab) -> None:
    pipeline = counting(until="outputs.n.nope")
    assert lab.statuses(lab.run(pipeline, start=0))["loop"] == "failed"
    assert planned(lab.plan(pipeline, start=0), "loop").choice is FAIL


def test_forcing_all_rounds(lab: Lab) -> None:
    lab.run(counting(), start=0)
    assert choices(lab.plan(counting(), {"loop/"}, start=0))["loop#1/inc"] is RUN
    lab.computed.clear()
    run = lab.run(counting(), ("loop/",), start=0)
    assert lab.computed == ["loop#1/inc", "loop#2/inc", "loop#3/inc"]
    assert lab.statuses(run)["use"] == "reused"


# Law 4: what was planned is what is done.


def agrees(lab: Lab, plan: Plan, run: str, *, healed: bool = False) -> None:
    """Every decision of the plan is the one that the engine came to.

    `healed`: blobs were lost, and a task that runs may bring back one that others wait for.
    """
    tasks = lab.tasks(run)
    for task in plan.tasks:
        assert task.path in tasks, task
        _agrees(lab, task, tasks, healed)


ALLOWED = {
    REUSE: {"reused"}, RUN: {"succeeded", "failed"}, SKIP: {"skipped", "blocked"},
    FAIL: {"failed"}, DECIDE: {"succeeded"},
}  # fmt: skip


def _agrees(lab: Lab, task: PlannedTask, tasks: dict[str, Task], healed: bool) -> None:
    done = tasks[task.path]
    where = (task, done)
    if task.choice is UNKNOWN:
        return
    if task.choice is RUN and done.status is TaskStatus.REUSED:
        assert healed or _shares_a_key(task, tasks), where
    elif task.kind in ("map", "repeat") and task.choice is REUSE:
        assert done.status.value in {"reused", "succeeded"}, where
    else:
        assert done.status.value in ALLOWED[task.choice], where
        if task.key is not None:
            assert len(lab.store.read.attempts(done.id)) == (task.choice is RUN), where
            assert done.reason == task.reason, where
    if task.key is not None:
        assert (done.key, done.static, done.seed) == (task.key, task.static, task.seed), where
    if task.choice is REUSE and task.key is not None:
        assert done.source == task.source, where
        assert lab.store.read.outputs(done.id) == task.outputs, where
    if task.choice is SKIP:
        assert done.reason == task.reason, where


def _shares_a_key(task: PlannedTask, tasks: dict[str, Task]) -> bool:
    """Whether another task of the run had the same key: only one of them was computed."""
    if task.kind == "map":
        return True  # its elements are looked at one by one
    return sum(other.key == task.key for other in tasks.values()) > 1


class Drawing:
    """A pipeline as it is drawn: what later nodes may refer to."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.nodes: list[Any] = []
        self.scalars = ["parameters.x"]
        self.lists: list[str] = []
        self.gates: list[str] = []

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def scalar(self) -> Any:
        return self.draw(st.sampled_from([1, 2]) | st.sampled_from(self.scalars).map(_expression))

    def list(self) -> Any:
        known = st.sampled_from(self.lists).map(_expression) if self.lists else st.nothing()
        return self.draw(known | st.just([1, 2]))

    def conditions(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if self.number(0, 4) == 0:
            made["when"] = f"{self.draw(st.sampled_from(self.scalars))} < {self.number(1, 6)}"
        if self.gates and self.number(0, 1):
            made["guards"] = (self.draw(st.sampled_from(self.gates)),)
        if self.nodes and self.number(0, 3) == 0:
            made["after"] = (self.draw(st.sampled_from([node.name for node in self.nodes])),)
        return made

    def add(self, name: str, **more: Any) -> None:
        join = options(join=self.number(0, 3) == 0)
        self.nodes.append(step(name, a=self.scalar(), b=self.scalar(), options=join, **more))
        self.scalars.append(f"steps.{name}")

    def count(self, name: str, **more: Any) -> None:
        uses = self.draw(st.sampled_from(["count", "refs", "points"]))
        self.nodes.append(step(name, uses, n=self.scalar(), **more))
        self.lists.append(f"steps.{name}")

    def map(self, name: str, **more: Any) -> None:
        self.nodes.append(mapped(name, "a", a=self.list(), b=self.scalar(), **more))
        self.lists.append(f"steps.{name}")

    def sum(self, name: str, **more: Any) -> None:
        self.nodes.append(step(name, "sum", xs=self.list(), **more))
        self.scalars.append(f"steps.{name}")

    def check(self, name: str, **more: Any) -> None:
        on_fail = self.draw(st.sampled_from(["stop", "warn"]))
        last = self.draw(st.sampled_from(self.scalars))
        condition = f"{last} < {self.number(2, 7)} or steps.{name}0 > 9"
        self.nodes.append(step(name + "0", a=self.scalar()))
        self.nodes.append(check(name, condition, on_fail=on_fail, **more))
        self.gates.append(name)

    def group(self, name: str, **more: Any) -> None:
        self.nodes.append(group(name, GROUP, x=self.scalar(), **more))
        self.scalars.append(f"steps.{name}")

    def repeat(self, name: str, **more: Any) -> None:
        self.nodes.append(
            RepeatNode(
                name=name, pipeline=COUNTING, bindings={"n": self.scalar()}, carry={"n": "n"},
                until=f"outputs.n >= {self.number(2, 5)}", max=self.number(1, 3),
                exhausted=self.draw(st.sampled_from(["continue", "fail"])), **more,
            )
        )  # fmt: skip
        self.scalars.append(f"steps.{name}.n")


KINDS = ("add", "add", "count", "map", "sum", "check", "group", "repeat")


@st.composite
def pipelines(draw: st.DrawFn) -> PipelineSpec:
    """Steps over earlier ones: sums, lists, maps, conditions, checkpoints, groups, repeats."""
    made = Drawing(draw)
    for name in "abcdef"[: draw(st.integers(2, 6))]:
        getattr(made, draw(st.sampled_from(KINDS)))(name, **made.conditions())
    return spec(*made.nodes, parameters=X)


GROUP = spec(
    step("g", a="${{ parameters.x }}", b=1),
    step("h", a="${{ steps.g }}", b="${{ steps.g }}"),
    parameters={"x": Parameter()},
    outputs={"result": "${{ steps.h }}"},
)


def _expression(text: str) -> str:
    return "${{ " + text + " }}"


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(pipelines(), st.integers(1, 3), st.data())
def test_a_run_does_what_was_planned(
    pipeline: PipelineSpec, second: int, data: st.DataObject
) -> None:
    """Runs with changes between them: of a parameter, of code, of blobs, forced steps."""
    lab = Lab()
    agrees(lab, lab.plan(pipeline, x=1), lab.run(pipeline, x=1))
    change = data.draw(st.sampled_from(["nothing", "code", "blob", "force"]))
    force: set[str] = set()
    if change == "code":
        lab.code[data.draw(st.sampled_from(["add", "count", "sum", "points"]))] = "2"
    elif change == "blob":
        refs = [ref for _, _, ref in lab.store.read.artifacts("r1")]
        for ref in data.draw(st.lists(st.sampled_from(refs), max_size=2)) if refs else ():
            lab.artifacts.forget(ref)
    elif change == "force":
        force = {data.draw(st.sampled_from(["a", "b", "c", "c/g", "b/", "b/inc"]))}
    plan = lab.plan(pipeline, force, x=second)
    agrees(lab, plan, lab.run(pipeline, force, x=second), healed=change == "blob")
    # A third time nothing is left to do, and everybody knows.
    lab.computed.clear()
    last = lab.plan(pipeline, x=second)
    assert not {task.choice for task in last.tasks} & {RUN, UNKNOWN}, last
    agrees(lab, last, lab.run(pipeline, x=second))
    assert lab.computed == []


def test_reads_and_impurity_are_judged_alike(lab: Lab) -> None:
    lab.files["data.csv"] = "blake3:1"
    lab.reads["a"] = (Read(path="data.csv", digest="blake3:1"),)
    lab.impure["apart"] = ("read /etc/hosts",)
    lab.run(CHAIN, x=1)
    for content, choice in (("blake3:1", REUSE), ("blake3:2", RUN)):
        lab.files["data.csv"] = content
        plan = lab.plan(CHAIN, x=1)
        assert planned(plan, "a").choice is choice
        assert planned(plan, "apart").choice is RUN
        agrees(lab, plan, lab.run(CHAIN, x=1))


def test_a_result_that_grows_old_is_judged_alike(lab: Lab) -> None:
    pipeline = spec(step("a", a=1, options=options(cache=100.0)), step("b", a="${{ steps.a }}"))
    lab.run(pipeline)
    lab.time += 1000
    plan = lab.plan(pipeline)
    assert choices(plan) == {"a": RUN, "b": UNKNOWN}
    assert planned(plan, "a").reason == "the result of r1 is older than 100 s"
    run = lab.run(pipeline)
    agrees(lab, plan, run)
    assert lab.statuses(run) == {"a": "succeeded", "b": "reused"}


def test_a_failure_is_not_reused(lab: Lab) -> None:
    lab.fails.add("b")
    run = lab.run(CHAIN, x=1)
    assert lab.statuses(run) == {
        "a": "succeeded", "b": "failed", "c": "blocked", "apart": "succeeded",
    }  # fmt: skip
    lab.fails.clear()
    plan = lab.plan(CHAIN, x=1)
    assert choices(plan) == {"a": REUSE, "b": RUN, "c": UNKNOWN, "apart": REUSE}
    agrees(lab, plan, lab.run(CHAIN, x=1))
