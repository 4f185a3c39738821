from __future__ import annotations

from mainspring.app.showing import task_view, total_counts
from mainspring.records.runs import Task
from mainspring.records.status import TaskStatus


def test_counts_of_all_parents_are_added_up() -> None:
    counts = {
        None: {TaskStatus.SUCCEEDED: 2, TaskStatus.OPEN: 1},
        7: {TaskStatus.SUCCEEDED: 3, TaskStatus.FAILED: 1},
    }
    assert total_counts(counts) == {"succeeded": 5, "open": 1, "failed": 1}


def test_children_are_counted_in_their_map() -> None:
    task = Task(id=7, run="r", path="m", node="m", kind="map", status=TaskStatus.OPEN, total=9)
    shown = task_view(task, {7: {TaskStatus.REUSED: 4}})
    assert (shown.children, shown.total, shown.seconds) == ({"reused": 4}, 9, None)


def test_duration() -> None:
    task = Task(
        id=1, run="r", path="a", node="a", kind="step", status=TaskStatus.SUCCEEDED,
        started=5.0, ended=7.5,
    )  # fmt: skip
    assert task_view(task).seconds == 2.5
