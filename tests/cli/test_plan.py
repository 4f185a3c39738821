from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.cli.conftest import Cli, Worked


def test_before_anything_ran(cli: Cli, flow: Path) -> None:
    done = cli("plan")
    assert (done.code, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines()]
    assert ["+", "prep/numbers", "not", "computed", "before"] in lines
    assert ["~", "total", "until", "double", "is", "settled"] in lines
    assert lines[-1] == ["1", "to", "run,", "3", "not", "known", "yet."]
    assert cli("runs").out == ""


def test_after_a_run(worked: Worked) -> None:
    done = worked("plan")
    assert f"from {worked.computed}/total" in done.out
    assert done.out.splitlines()[-1] == "5 reused, 1 decided."


def test_says_what_changed(cli: Cli, flow: Path) -> None:
    cli("run")
    text = (flow / "flow.py").read_text()
    (flow / "flow.py").write_text(text.replace("return sum(xs)", "return sum(xs) + 1"))
    out = cli("plan").out
    assert re.search(r"\+  total .*code changed: .*total.*, flow\.py:2\d", out), out
    assert "=  double" in out


def test_expected_time_from_history(worked: Worked) -> None:
    assert "of work." in worked("plan", "-p", "n=4").out


def test_json(worked: Worked, valid: Any) -> None:
    plan = valid(worked("plan", "--json").json)
    choices = {task["path"]: task["choice"] for task in plan["tasks"]}
    assert choices["double[2]"] == "reuse"
    assert choices["enough"] == "decide"


def test_plan_and_run_agree(cli: Cli) -> None:
    cli("run", "-p", "n=2")
    plan = cli("plan", "-p", "n=4", "--json").json
    run = cli("run", "-p", "n=4", "--json")
    planned = {t["path"]: t["choice"] for t in plan["tasks"]}
    did = cli("show", run.json["run"]["id"], "--json").json["tasks"]
    for task in did:
        expected = {"reuse": "reused", "run": "succeeded"}.get(planned[task["path"]])
        assert expected in (None, task["status"])


def test_a_plan_that_can_only_fail_says_so_with_its_status(cli: Cli, flow: Path) -> None:
    text = (flow / "flow.py").read_text()
    (flow / "flow.py").write_text(text.replace("sums >= 0", "sums > 100"))
    assert cli("plan").code == 0  # it is not known yet
    assert cli("run").code == 1
    done = cli("plan")
    assert done.code == 1
    assert [line for line in done.out.splitlines() if line.lstrip().startswith("!  enough")]
    assert cli("plan", "--json").code == 1
