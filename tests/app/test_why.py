from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.app.flows import pipeline, run, step, write

from mainspring.app.project import Project
from mainspring.app.why import explain
from mainspring.records.errors import NotFoundError
from mainspring.records.spec import PipelineSpec

FLOW = """
    from mainspring import step

    @step
    def one(n: int) -> int:
        return n

    @step
    def two(x: int) -> int:
        if x > 90:
            raise ValueError("too much")
        return x + 1
"""


def spec(n: int, **more: object) -> PipelineSpec:
    return pipeline(
        step("one", {"n": n}),
        step("two", {"x": "${{ steps.one }}"}),
        step("three", {"x": "${{ steps.two }}"}, uses="flow:two"),
        step("never", {"x": "${{ steps.one }}"}, uses="flow:two", when="steps.one > 1000"),
        step("after_never", {"x": "${{ steps.never }}"}, uses="flow:two"),
        step("each", {"x": [1, 2]}, uses="flow:two", map=("x",)),
        **more,
    )


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("why") / "demo"
    write(root, '[project]\nname = "demo"\n', "mainspring.toml")
    write(root, FLOW)
    project = Project(root)
    yield project
    project.close()


def test_why(opened: Project) -> None:
    first = run(opened, spec(1))
    fresh = explain(opened, first, "one")
    assert (fresh.reason, fresh.compared, fresh.differences) == ("not computed before", None, [])
    assert fresh.inputs["n"][1] == "1"

    second = run(opened, spec(1))
    reused = explain(opened, second, "two")
    assert (reused.status, reused.source, reused.compared) == (
        "reused", f"{first.id}/two", f"{first.id}/two",
    )  # fmt: skip
    assert reused.differences == []

    third = run(opened, spec(2))
    changed = explain(opened, third, "one")
    assert changed.compared == f"{second.id}/one"
    assert any("1" in text and "2" in text for text in changed.differences), changed.differences
    assert changed.reason == "; ".join(changed.differences)

    skipped = explain(opened, third, "after_never")
    assert (skipped.status, skipped.reason) == ("skipped", "never was skipped")
    assert [task.path for task in skipped.because] == ["never"]
    assert explain(opened, third, "each").children == {"reused": 2}
    with pytest.raises(NotFoundError):
        explain(opened, third, "on")


def test_why_it_was_blocked_or_failed(opened: Project) -> None:
    failed = run(opened, spec(99))
    blocked = explain(opened, failed, "three")
    assert (blocked.status, blocked.reason) == ("blocked", "two failed")
    assert [task.path for task in blocked.because] == ["two"]
    assert explain(opened, failed, "two").status == "failed"
