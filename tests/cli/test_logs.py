from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.conftest import Cli, Worked, environment
from tests.cli.test_run import started


def test_of_one_task_is_its_output_alone(worked: Worked) -> None:
    assert worked("logs", worked.computed, "total").out == "adding up\n"


def test_of_a_reused_task_is_that_of_its_source(worked: Worked) -> None:
    assert worked("logs", worked.reused, "total").out == "adding up\n"


def test_of_a_run_has_headings(worked: Worked) -> None:
    out = worked("logs", worked.computed).out
    assert "==> total (attempt 1) <==\nadding up\n" in out
    assert out.index("double[0]") < out.index("double[1]") < out.index("total")


def test_of_a_map_are_those_of_its_elements(worked: Worked) -> None:
    assert worked("logs", worked.computed, "double").out.count("doubling") == 3


def test_attempt(worked: Worked) -> None:
    assert worked("logs", worked.computed, "total", "--attempt", "1").out == "adding up\n"
    done = worked("logs", worked.computed, "total", "--attempt", "2")
    assert (done.code, "has no attempt 2" in done.err) == (2, True)
    assert worked("logs", "latest", "-f", "--attempt", "1").code == 2


def test_json_lines(worked: Worked, valid: Any) -> None:
    out = worked("logs", worked.computed, "--json").out
    found = [valid(json.loads(line)) for line in out.splitlines()]
    assert ("total", "adding up") in [(line["task"], line["text"]) for line in found]


def test_silence(worked: Worked) -> None:
    assert worked("logs", worked.computed, "prep/numbers") == (0, "", "nothing was printed\n")


def test_following_ends_with_the_run(cli: Cli, flow: Path, tmp_path: Path) -> None:
    marker = tmp_path / "started"
    run = ("run", "slow", "-p", f"started={marker}", "-p", "seconds=2")
    process = started(flow, marker, *run)
    command = [sys.executable, "-m", "mainspring", "logs", "latest", "-f"]
    done = subprocess.run(
        command, cwd=flow, env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "==> nap (attempt 1) <==\nnapping\n"
    process.communicate(timeout=60)
    assert cli("show", "--json").json["run"]["status"] == "succeeded"


def test_following_a_run_at_rest_prints_it_all(worked: Worked) -> None:
    assert "adding up\n" in worked("logs", worked.computed, "-f").out
