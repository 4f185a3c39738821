from __future__ import annotations

from typing import Any

from tests.cli.conftest import Worked


def test_run_as_json(worked: Worked, valid: Any) -> None:
    shown = valid(worked("show", worked.failed, "--json").json)
    status = {task["path"]: task["status"] for task in shown["tasks"]}
    assert status == {
        "prep/numbers": "succeeded",
        "double": "failed",
        "total": "blocked",
        "enough": "blocked",
    }
    assert [task["path"] for task in shown["failed"]] == ["double[13]"]
    edges = {(edge["after"], edge["task"]) for edge in shown["edges"]}
    assert edges == {("prep/numbers", "double"), ("double", "total"), ("total", "enough")}


def test_verdict(worked: Worked) -> None:
    (verdict,) = worked("show", worked.computed, "--json").json["checkpoints"]
    assert (verdict["name"], verdict["passed"], verdict["values"]) == ("enough", True, {"total": 6})


def test_latest_is_the_default(worked: Worked) -> None:
    assert worked("show", "--json").json["run"]["id"] == worked.failed


def test_task_as_json(worked: Worked, valid: Any) -> None:
    shown = valid(worked("show", worked.failed, "double[13]", "--json").json)
    assert shown["task"]["error"]["where"] == "flow.py:16"
    assert shown["inputs"]["x"][1] == "13"
    parent = valid(worked("show", worked.failed, "double", "--json").json)
    assert len(parent["children"]) == 15


def test_graph_with_a_task_is_refused(worked: Worked) -> None:
    assert worked("show", "latest", "total", "--graph").code == 2
