from __future__ import annotations

from pathlib import Path

import pytest
from tests.app.flows import pipeline, run, step, write

from mainspring.app.project import Project
from mainspring.app.rerun import downstream_of, rerun
from mainspring.records.errors import NotFoundError, ParameterError
from mainspring.records.plan import Choice
from mainspring.records.spec import GroupNode, Parameter, PipelineSpec, RepeatNode

BODY = pipeline(
    step("train", {"x": "${{ parameters.x }}"}),
    GroupNode(
        name="judge", bindings={"x": "${{ steps.train }}"},
        pipeline=pipeline(
            step("score", {"x": "${{ parameters.x }}"}),
            parameters={"x": Parameter()}, outputs={"result": "${{ steps.score }}"},
        ),
    ),
    parameters={"x": Parameter()}, outputs={"x": "${{ steps.judge }}"},
)  # fmt: skip
PREP = pipeline(
    step("load", {"n": "${{ parameters.n }}"}),
    step("clean", {"x": "${{ steps.load }}"}),
    parameters={"n": Parameter()}, outputs={"result": "${{ steps.clean }}"},
)  # fmt: skip
SPEC = pipeline(
    GroupNode(name="prep", pipeline=PREP, bindings={"n": 3}),
    step("each", {"x": "${{ steps.prep }}"}, map=("x",)),
    RepeatNode(
        name="tune", pipeline=BODY, bindings={"x": "${{ steps.each }}"}, until="outputs.x > 1",
        max=3, carry={"x": "x"},
    ),
    step("last", {"x": "${{ steps.tune.x }}"}),
    step("free", {"x": 1}),
    step("after_free", after=("free",)),
)  # fmt: skip
INSIDE = {"tune/train", "tune/judge/score"}


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("last", {"last"}),
        ("free", {"free", "after_free"}),
        ("tune", {"tune", *INSIDE, "last"}),
        ("tune#2/train", {"tune", *INSIDE, "last"}),
        ("tune#1/judge/score", {"tune", *INSIDE, "last"}),
        ("each[1]", {"each", "tune", *INSIDE, "last"}),
        ("each", {"each", "tune", *INSIDE, "last"}),
        ("prep/clean", {"prep/clean", "each", "tune", *INSIDE, "last"}),
        ("prep", {"prep/load", "prep/clean", "each", "tune", *INSIDE, "last"}),
    ],
)
def test_what_depends_on_a_task(start: str, expected: set[str]) -> None:
    assert downstream_of(SPEC, {}, start) == expected


@pytest.mark.parametrize("start", ["nope", "pre", "prep/nope", "las", ""])
def test_a_task_that_is_not_there(start: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        downstream_of(SPEC, {}, start)
    assert "there is prep/load, prep/clean, each" in (caught.value.hint or "")


FLOW = """
    from mainspring import step

    @step
    def train(x: int) -> int:
        return x + 1

    @step
    def last(x: int) -> int:
        return 10 * x
"""


def looping() -> PipelineSpec:
    body = pipeline(
        step("train", {"x": "${{ parameters.x }}"}),
        name="body", parameters={"x": Parameter(type="int")}, outputs={"x": "${{ steps.train }}"},
    )  # fmt: skip
    loop = RepeatNode(
        name="tune", pipeline=body, bindings={"x": "${{ parameters.n }}"}, until="outputs.x >= 2",
        max=3, carry={"x": "x"},
    )  # fmt: skip
    return pipeline(
        loop, step("last", {"x": "${{ steps.tune.x }}"}),
        parameters={"n": Parameter(type="int", default=0)},
    )  # fmt: skip


def test_a_new_run_from_the_source_of_then(project: Path) -> None:
    write(project, FLOW)
    opened = Project(project)
    first = run(opened, looping(), n=0)
    write(project, "raise SystemExit\n")
    again = rerun(opened, first)
    assert {t.choice for t in again.plan.tasks} == {Choice.REUSE}
    assert (again.plan.snapshot, again.plan.seed) == (first.snapshot, first.seed)
    forced = {t.path: t.choice for t in rerun(opened, first, start_from="tune").plan.tasks}
    assert forced["tune#1/train"] is Choice.RUN
    assert forced["last"] is not Choice.REUSE
    last = rerun(opened, first, start_from="last").plan.tasks
    assert {t.path: t.choice for t in last if t.choice is not Choice.REUSE} == {"last": Choice.RUN}
    other = rerun(opened, first, parameters={"n": "1"}, seed=9).plan
    assert (other.parameters, other.seed) == ({"n": 1}, 9)
    with pytest.raises(ParameterError, match="no parameter 'm'"):
        rerun(opened, first, parameters={"m": 1})
    opened.close()
