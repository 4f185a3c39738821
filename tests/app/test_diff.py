from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.app.flows import pipeline, run, step, write

from mainspring.app.diff import LONGEST_DIFF, compare
from mainspring.app.project import Project

FLOW = """
    from mainspring import log, step

    @step
    def one(n: int) -> int:
        log(size=float(n), odd=float("nan"))
        return n

    @step
    def two(x: int) -> int:
        return x + 1
"""
SPEC = pipeline(step("one", {"n": "${{ parameters.n }}"}), step("two", {"x": "${{ steps.one }}"}))


@pytest.fixture
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("diff") / "demo"
    write(root, '[project]\nname = "demo"\n', "mainspring.toml")
    write(root, FLOW)
    project = Project(root)
    yield project
    project.close()


def test_a_run_that_reused_everything_is_the_same(opened: Project) -> None:
    first, second = run(opened, SPEC, n=1), run(opened, SPEC, n=1)
    found = compare(opened, first, second)
    # What was reused logged nothing anew.
    assert [one.how for one in found.metrics] == ["removed", "removed"]
    assert not (found.parameters or found.source or found.environment or found.tasks)
    assert not found.artifacts
    assert not compare(opened, first, first).differ


def test_a_parameter(opened: Project) -> None:
    first, second = run(opened, SPEC, n=1), run(opened, SPEC, n=2)
    found = compare(opened, first, second)
    assert found.differ
    [change] = found.parameters
    assert (change.name, change.how, change.before, change.after) == ("n", "changed", 1, 2)
    [metric] = found.metrics  # one that is no number both times is no difference
    assert (metric.task, metric.name, metric.before, metric.after) == ("one", "size", 1.0, 2.0)
    said = {one.path: one.differences for one in found.tasks}
    assert said["one"] == ["parameter n 1 → 2"]
    assert len(said["two"]) == 1
    assert " x int " in said["two"][0]
    assert [(one.task, one.output, one.how) for one in found.artifacts] == [
        ("one", "result", "changed"),
        ("two", "result", "changed"),
    ]
    assert all(one.before != one.after for one in found.artifacts)


def test_source(opened: Project) -> None:
    first = run(opened, SPEC, n=1)
    write(opened.root, FLOW.replace("x + 1", "x + 2"))
    write(opened.root, "new\n", "notes.txt")
    (opened.root / "data.bin").write_bytes(b"\0\1\2")
    (opened.root / "long.txt").write_text("a\n" * (2 * LONGEST_DIFF))
    second = run(opened, SPEC, n=1)
    found = {one.path: one for one in compare(opened, first, second).source}
    assert set(found) == {"flow.py", "notes.txt", "data.bin", "long.txt"}
    assert "-    return x + 1\n+    return x + 2\n" in (found["flow.py"].diff or "")
    assert found["notes.txt"].how == "added"
    assert (found["notes.txt"].diff or "").startswith("--- /dev/null\n+++ b/notes.txt\n")
    assert found["data.bin"].diff is None
    assert (found["long.txt"].diff or "").endswith("more lines\n")
    back = {one.path: one.how for one in compare(opened, second, first).source}
    assert back["notes.txt"] == "removed"


def test_other_tasks(opened: Project) -> None:
    first = run(opened, SPEC, n=1)
    other = pipeline(
        step("one", {"n": 1}), step("each", {"x": [1, 2]}, uses="flow:two", map=("x",))
    )
    found = {one.path: one for one in compare(opened, first, run(opened, other)).tasks}
    assert (found["two"].how, found["two"].before) == ("removed", "succeeded")
    assert (found["each"].how, found["each"].after) == ("added", "succeeded: 2 of 2")
    assert "one" not in found
