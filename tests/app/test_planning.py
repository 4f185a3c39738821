from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.app.flows import pipeline, plan, reasons, run, states, step, write

from mainspring.app.planning import modules_of, work_of
from mainspring.app.project import Project
from mainspring.records.errors import DefinitionError
from mainspring.records.plan import Choice
from mainspring.records.spec import CommandNode, GroupNode, Parameter, RepeatNode
from mainspring.records.status import RunStatus

FLOW = """
    from mainspring import step

    @step
    def one() -> int:
        return 1

    @step
    def two(x: int) -> int:
        return x + 1
"""
SPEC = pipeline(step("one"), step("two", {"x": "${{ steps.one }}"}))


@pytest.fixture
def opened(project: Path) -> Iterator[Project]:
    write(project, FLOW)
    found = Project(project)
    yield found
    found.close()


def choices(project: Project, **more: object) -> dict[str, Choice]:
    return {task.path: task.choice for task in plan(project, SPEC, **more).plan.tasks}


def test_plan_and_run_agree(opened: Project) -> None:
    """Law 4: what the plan says is what the run does, for the reason that was given."""
    before = plan(opened, SPEC)
    assert {t.path: t.choice for t in before.plan.tasks} == {
        "one": Choice.RUN, "two": Choice.UNKNOWN,
    }  # fmt: skip
    assert before.needs_workers
    first = run(opened, SPEC)
    assert first.status is RunStatus.SUCCEEDED
    planned = plan(opened, SPEC)
    assert not planned.needs_workers
    second = run(opened, SPEC)
    assert states(opened, second) == {"one": "reused", "two": "reused"}
    assert reasons(opened, second) == {t.path: t.reason for t in planned.plan.tasks}
    assert planned.plan.expected is None
    write(opened.root, FLOW.replace("x + 1", "x + 2"))
    assert choices(opened) == {"one": Choice.REUSE, "two": Choice.RUN}
    (task,) = (t for t in plan(opened, SPEC).plan.tasks if t.choice is Choice.RUN)
    assert "code changed" in task.reason
    assert task.expected is not None
    assert reasons(opened, run(opened, SPEC))["two"] == task.reason


def test_force_and_seed(opened: Project) -> None:
    run(opened, SPEC)
    assert choices(opened, force=["two"]) == {"one": Choice.REUSE, "two": Choice.RUN}
    assert choices(opened, force=["one"]) == {"one": Choice.RUN, "two": Choice.UNKNOWN}
    assert choices(opened, seed=5) == {"one": Choice.RUN, "two": Choice.UNKNOWN}
    assert set(choices(opened, seed=0).values()) == {Choice.REUSE}


def test_a_result_whose_blob_is_gone_or_damaged_is_no_hit(opened: Project) -> None:
    first = run(opened, SPEC)
    (ref,) = opened.store.read.outputs(opened.store.read.find_task(first.id, "one").id).values()
    place = opened.blobs.path(ref.digest)
    place.chmod(0o644)
    place.write_bytes(b"2")
    assert choices(opened)["one"] is Choice.RUN
    assert states(opened, run(opened, SPEC)) == {"one": "succeeded", "two": "reused"}


def test_what_cannot_be_flattened_is_an_error_before_anything(opened: Project) -> None:
    with pytest.raises(DefinitionError, match="step 'nobody' does not exist"):
        plan(opened, pipeline(step("two", {"x": "${{ steps.nobody }}"})))


def test_work_and_modules_at_every_depth() -> None:
    inner = pipeline(step("deep", uses="a.b:deep"), CommandNode(name="c", command="true"))
    spec = pipeline(
        step("top", uses="z:top"),
        GroupNode(name="g", pipeline=inner),
        RepeatNode(
            name="r", until="true", max=2,
            pipeline=pipeline(GroupNode(name="g", pipeline=pipeline(step("in_both", uses="z:x")))),
        ),
        parameters={"n": Parameter()},
    )  # fmt: skip
    assert [work.name for work in work_of(spec)] == ["top", "deep", "c", "in_both"]
    assert modules_of(spec) == ["a.b", "z"]
