"""Growth: children of maps and rounds of repeats, the same again after a restart."""

from __future__ import annotations

from typing import Any

import pytest
from tests.planning.lab import Lab, check, group, mapped, spec, step

from mainspring.planning.expand import (
    Closed,
    Failed,
    NextRound,
    RunGraph,
    child_path,
    close_map,
    close_round,
    local_deps,
)
from mainspring.records.errors import DefinitionError, MainspringError
from mainspring.records.expressions import Expression
from mainspring.records.spec import Parameter, PipelineSpec, RepeatNode
from mainspring.records.status import TaskStatus
from mainspring.records.stores import Upstream

SUCCEEDED, REUSED = TaskStatus.SUCCEEDED, TaskStatus.REUSED


@pytest.fixture
def lab() -> Lab:
    return Lab()


BODY = spec(
    step("fit", a="${{ parameters.x }}", b="${{ parameters.c }}"),
    step("score", a="${{ steps.fit }}", after=()),
    name="round",
    parameters={"x": Parameter(), "c": Parameter(default=2)},
    outputs={"model": "${{ steps.fit }}", "score": "${{ steps.score }}"},
)


def tune(body: PipelineSpec = BODY, **more: Any) -> RepeatNode:
    fields: dict[str, Any] = {"until": "outputs.score >= 3", "max": 3, "carry": {"x": "model"}}
    return RepeatNode(
        name="tune", pipeline=body, bindings={"x": "${{ steps.data }}"}, **{**fields, **more}
    )


def pipeline(node: RepeatNode | None = None) -> PipelineSpec:
    return spec(step("data"), node or tune(), step("use", a="${{ steps.tune.model }}"))


def bound(run: RunGraph, path: str) -> dict[str, Any]:
    found = run.node(path).bindings
    return {n: b.text if isinstance(b, Expression) else b.value for n, b in found.items()}


# Rounds.


def test_the_first_round_gets_the_inputs_the_next_ones_what_is_carried() -> None:
    run = RunGraph(pipeline(), {})
    made = run.round("tune", 3)
    assert run.rounds("tune") == 3
    assert list(made.nodes) == ["tune#3/fit", "tune#3/score"]
    assert bound(run, "tune#1/fit") == {"a": "steps.data", "b": 2}
    assert bound(run, "tune#2/fit") == {"a": "steps['tune#1/fit']", "b": 2}
    assert bound(run, "tune#3/fit") == {"a": "steps['tune#2/fit']", "b": 2}
    assert run.round("tune", 3) is made  # asked again, nothing grows
    assert run.rounds("tune") == 3


def test_only_what_is_in_the_round_is_counted() -> None:
    run = RunGraph(pipeline(), {})
    made = run.round("tune", 2)
    assert run.node("tune#2/fit").deps == ("tune#1/fit",)
    assert local_deps(run.node("tune#2/fit"), made) == ()
    assert local_deps(run.node("tune#2/score"), made) == ("tune#2/fit",)


def test_after_a_restart_the_graph_follows_the_store() -> None:
    """A path of the second round is known without the first having been asked for."""
    run = RunGraph(pipeline(), {})
    assert run.node("tune#2/score").template == "tune/score"
    assert run.rounds("tune") == 2
    fresh = RunGraph(pipeline(), {})
    fresh.round("tune", 2)
    assert bound(run, "tune#2/score") == bound(fresh, "tune#2/score")


def test_a_childs_node_is_its_maps() -> None:
    run = RunGraph(spec(mapped("m", "a", a=[1])), {})
    assert child_path("m", 12) == "m[12]"
    assert run.node("m[12]") is run.node("m")


def test_repeats_inside_of_groups_and_of_repeats() -> None:
    inner = RepeatNode(name="inner", pipeline=BODY, until="outputs.score > 1", max=9,
                       bindings={"x": "${{ parameters.y }}"})  # fmt: skip
    body = spec(
        inner, mapped("each", "a", a="${{ [steps.inner.score, parameters.y] }}"),
        parameters={"y": Parameter()}, outputs={"score": "${{ steps.inner.score }}"},
    )  # fmt: skip
    outer = RepeatNode(name="outer", pipeline=body, until="True", max=9, bindings={"y": 1},
                       carry={"y": "score"})  # fmt: skip
    run = RunGraph(spec(group("g", spec(outer))), {})
    path = "g/outer#2/inner#3/score"
    assert run.node(path).template == "g/outer/inner/score"
    assert bound(run, "g/outer#2/inner#1/fit")["a"] == "steps['g/outer#1/inner'].score"
    assert run.node("g/outer#2/each[4]").path == "g/outer#2/each"
    assert (run.rounds("g/outer"), run.rounds("g/outer#2/inner")) == (2, 3)


def test_a_path_that_no_pipeline_has() -> None:
    with pytest.raises(KeyError):
        RunGraph(pipeline(), {}).node("nope")


# Closing a map.


def close(lab: Lab, *statuses: TaskStatus, outputs: tuple[str, ...] = ("result",)) -> Any:
    node = RunGraph(spec(mapped("m", "a", a=[1], outputs=dict.fromkeys(outputs, "any"))), {})
    children = [
        (i, status, {name: lab.artifacts.json_of([name, i]) for name in outputs})
        for i, status in enumerate(statuses)
    ]
    return close_map(node.node("m"), lambda: children, lab.artifacts)


def test_a_map_gathers_its_elements_in_order(lab: Lab) -> None:
    made = close(lab, SUCCEEDED, REUSED, outputs=("x", "y"))
    assert isinstance(made, Closed)
    assert (made.reason, made.reused) == ("2 elements", False)
    assert {
        name: [lab.artifacts.value(ref, i) for i in range(2)] for name, ref in made.outputs.items()
    } == {"x": [["x", 0], ["x", 1]], "y": [["y", 0], ["y", 1]]}


def test_a_map_is_reused_if_all_of_it_was(lab: Lab) -> None:
    made = close(lab, REUSED)
    assert isinstance(made, Closed)
    assert (made.reason, made.reused) == ("1 element", True)


def test_a_map_over_nothing_has_an_empty_list(lab: Lab) -> None:
    made = close(lab)
    assert isinstance(made, Closed)
    assert (made.reason, made.reused) == ("0 elements", False)
    assert lab.artifacts.elements(made.outputs["result"]) == ()


def test_a_map_fails_with_its_elements(lab: Lab) -> None:
    failed = close(lab, TaskStatus.FAILED, SUCCEEDED, TaskStatus.CANCELLED)
    assert failed == Failed("2 of 3 elements did not succeed: 0, 2")
    many = close(lab, *[TaskStatus.FAILED] * 7)
    assert many == Failed("7 of 7 elements did not succeed: 0, 1, 2, 3, 4, …")


# Closing a round.


def ended(lab: Lab, node: RepeatNode, number: int, **values: Any) -> Any:
    """What comes of a round whose tasks have these values (or statuses)."""
    run = RunGraph(pipeline(node), {})
    run.round("tune", number)
    known: dict[str, Upstream] = {"data": lab.settled(0)}
    known |= {f"tune#{number}/{name}": lab.settled(value) for name, value in values.items()}
    return close_round(run, run.node("tune"), number, known.__getitem__, lab.artifacts)


def test_until_holds(lab: Lab) -> None:
    made = ended(lab, tune(), 2, fit="m", score=3)
    assert isinstance(made, Closed)
    assert made.reason == "2 rounds"
    found = {name: lab.artifacts.value(ref) for name, ref in made.outputs.items()}
    assert found == {"model": "m", "score": 3, "rounds": 2}
    once = ended(lab, tune(), 1, fit="m", score=5)
    assert isinstance(once, Closed)
    assert once.reason == "1 round"


def test_until_does_not_hold_yet(lab: Lab) -> None:
    assert ended(lab, tune(), 2, fit="m", score=1) == NextRound(3)


def test_the_rounds_run_out(lab: Lab) -> None:
    made = ended(lab, tune(), 3, fit="m", score=1)
    assert isinstance(made, Closed)
    assert made.reason == "3 rounds, `until` never held"
    made = ended(lab, tune(exhausted="fail"), 3, fit="m", score=1)
    assert made == Failed("`until` did not hold after 3 rounds")
    assert isinstance(ended(lab, tune(exhausted="fail"), 3, fit="m", score=3), Closed)


@pytest.mark.parametrize("status", ["failed", "blocked", "cancelled"])
def test_a_round_that_fails(lab: Lab, status: str) -> None:
    made = ended(lab, tune(), 2, fit=TaskStatus(status), score=TaskStatus.BLOCKED)
    assert made == Failed(f"round 2: tune#2/fit is {status}")


def test_until_may_look_into_an_output(lab: Lab) -> None:
    node = tune(until="outputs.score.loss < 1 and len(outputs.model) == 2")
    assert isinstance(ended(lab, node, 1, fit=[1, 2], score={"loss": 0.5}), Closed)
    assert ended(lab, node, 1, fit=[1], score={"loss": 0.5}) == NextRound(2)


@pytest.mark.parametrize(
    ("until", "what"),
    [
        ("outputs.nope > 1", "no output 'nope'"),
        ("outputs.one > 0", "output 'one' is a constant"),
        ("outputs.score.nope > 1", "'nope'"),
    ],
)
def test_an_until_that_cannot_be_computed(lab: Lab, until: str, what: str) -> None:
    body = spec(
        *BODY.steps, parameters=BODY.parameters,
        outputs={"model": "${{ steps.fit }}", "score": "${{ steps.score }}", "one": 1},
    )  # fmt: skip
    with pytest.raises(DefinitionError, match=what):
        ended(lab, tune(body, until=until), 1, fit=1, score=1)


def test_outputs_that_are_computed_or_constant(lab: Lab) -> None:
    body = spec(
        *BODY.steps, parameters=BODY.parameters,
        outputs={"model": "${{ steps.fit }}", "score": "${{ steps.score * 10 }}", "one": 1},
    )  # fmt: skip
    made = ended(lab, tune(body), 1, fit=2, score=4)
    assert isinstance(made, Closed)
    found = {name: lab.artifacts.value(ref) for name, ref in made.outputs.items()}
    assert found == {"model": 2, "score": 40, "one": 1, "rounds": 1}


def test_an_output_must_be_one_artifact(lab: Lab) -> None:
    body = spec(
        *BODY.steps, parameters=BODY.parameters,
        outputs={"model": "${{ [steps.fit, steps.score] }}", "score": "${{ steps.score }}"},
    )  # fmt: skip
    with pytest.raises(MainspringError, match="'model' of a repeat") as caught:
        ended(lab, tune(body, carry={}), 1, fit=2, score=4)
    assert caught.value.hint is not None


# In a run.


def test_a_repeat_in_a_run(lab: Lab) -> None:
    body = spec(
        step("fit", a="${{ parameters.x }}", b=1), check("ok", "steps.fit < 9"),
        parameters={"x": Parameter()}, outputs={"score": "${{ steps.fit }}"},
    )  # fmt: skip
    node = tune(body, carry={"x": "score"}, max=9)
    run = lab.run(spec(step("data", a=0), node, step("use", a="${{ steps.tune.rounds }}")))
    assert lab.result(run, "tune", "score") == 3
    assert lab.result(run, "tune", "rounds") == lab.result(run, "use") == 3
    assert [p for p in lab.tasks(run) if p.startswith("tune#")] == [
        f"tune#{i}/{n}" for i in (1, 2, 3) for n in ("fit", "ok")
    ]


def test_a_map_in_a_run(lab: Lab) -> None:
    run = lab.run(
        spec(step("n", "count", n=3), mapped("m", "a", a="${{ steps.n }}", b=2),
             step("t", "sum", xs="${{ steps.m }}"), step("one", a="${{ steps.m[1] }}"),
             mapped("none", "a", a=[]), step("zero", "sum", xs="${{ steps.none }}"))
    )  # fmt: skip
    assert lab.result(run, "m") == [2, 3, 4]
    assert (lab.result(run, "t"), lab.result(run, "one")) == (2, 3)
    assert (lab.result(run, "none"), lab.result(run, "zero")) == ([], 0)
