from __future__ import annotations

from mainspring.app.views import RunView, TaskView
from mainspring.interactive import pages
from mainspring.records.errors import DefinitionError
from mainspring.records.plan import Choice, Plan, PlannedTask
from mainspring.records.runs import TaskError

HOSTILE = "<img src=x onerror=alert(1)>&\"'"
RUN = RunView(
    id="20261124-120000-abcde", pipeline=HOSTILE, status="failed", wish="run",
    parameters={"c": HOSTILE}, seed=0, spec="", snapshot="", created=0.0, started=0.0, ended=2.0,
    seconds=2.0, parent=None, reason=None,
)  # fmt: skip


def task(path: str, status: str, **more: object) -> TaskView:
    return TaskView(path=path, node=path, kind="step", status=status, **more)


def test_every_text_is_escaped() -> None:
    error = TaskError(
        kind=HOSTILE,
        message=HOSTILE,
        where=HOSTILE,
        traceback=HOSTILE + "\n" + HOSTILE,
        hint=HOSTILE,
    )
    failed = task(HOSTILE, "failed", error=error)
    plan = Plan(
        pipeline=HOSTILE, spec="", snapshot="", parameters={"c": HOSTILE}, seed=0,
        tasks=(PlannedTask(path=HOSTILE, node="a", kind="step", choice=Choice.RUN,
                           reason=HOSTILE),),
    )  # fmt: skip
    for page in (
        pages.progress_page(RUN, [failed], HOSTILE, [failed]),
        pages.plan_page(plan, []),
        pages.pipeline_page(HOSTILE, [], [], HOSTILE),
        pages.error_page(DefinitionError(HOSTILE, where=HOSTILE, hint=HOSTILE)),
    ):
        assert "<img" not in page
        assert "&lt;img" in page


def test_a_long_table_shows_what_matters() -> None:
    tasks = [task(f"t{n}", "succeeded") for n in range(100)] + [task("bad", "failed")]
    found = pages.task_table(tasks)
    assert "bad" in found
    assert "… and 61 more" in found


def test_times() -> None:
    found = pages.task_table(
        [task("a", "running", started=1.0, seconds=5.0), task("b", "succeeded", seconds=5.0)]
    )
    assert "since " in found
    assert "5.0 s" in found


def test_a_map_counts_its_elements() -> None:
    mapped = TaskView(
        path="m",
        node="m",
        kind="map",
        status="open",
        total=10,
        children={"succeeded": 3, "failed": 1},
    )
    assert "4/10, 1 failed" in pages.task_table([mapped])
