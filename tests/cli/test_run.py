from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.cli.conftest import Cli, Worked, environment


def test_first_computes_then_reuses(worked: Worked, valid: Any) -> None:
    computed = valid(worked("show", worked.computed, "--json").json)
    reused = valid(worked("show", worked.reused, "--json").json)
    assert computed["counts"] == {"succeeded": 7}
    assert reused["counts"] == {"succeeded": 1, "reused": 6}


def test_piped_progress_is_plain_lines(cli: Cli) -> None:
    done = cli("run", "-p", "n=2")
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    lines = done.out.splitlines()
    assert lines[0].startswith("run 2")
    assert any("✓ total  succeeded" in line for line in lines)
    assert "succeeded in" in lines[-2]
    assert lines[-1].startswith("  mainspring show 2")


def test_quiet_prints_only_the_end(cli: Cli) -> None:
    assert len(cli("run", "--quiet").out.splitlines()) == 2


def test_failure(cli: Cli, valid: Any) -> None:
    done = cli("run", "-p", "n=14")
    assert done.code == 1
    assert "error: double[13] failed: ValueError: unlucky thirteen" in done.err
    assert "at: flow.py:16" in done.err
    assert "mainspring logs 2" in done.err
    result = valid(cli("run", "-p", "n=14", "--json").json)
    assert result["exit_code"] == 1
    assert [task["path"] for task in result["failed"]] == ["double[13]"]


def test_yaml_pipeline_and_force(cli: Cli) -> None:
    assert cli("run", "tiny").code == 0
    assert cli("run", "tiny", "--json").json["counts"] == {"reused": 1}
    assert cli("run", "tiny", "--force", "numbers", "--json").json["counts"] == {"succeeded": 1}


def test_a_run_that_reuses_everything_starts_no_worker(cli: Cli, flow: Path) -> None:
    cli("run", "tiny")
    before = sorted((flow / ".mainspring" / "attempts").iterdir())
    began = time.monotonic()
    assert cli("run", "tiny").code == 0
    assert time.monotonic() - began < 3  # generous: the machine may be busy
    assert sorted((flow / ".mainspring" / "attempts").iterdir()) == before


def test_pipeline_is_traced_from_the_snapshot(cli: Cli, flow: Path) -> None:
    with (flow / "flow.py").open("a") as file:
        file.write("\nimport pathlib\npathlib.Path('where').write_text(__file__)\n")
    cli("plan")
    assert "/.mainspring/snapshots/" in (flow / "where").read_text()
    assert not (flow / "__pycache__").exists()


def started(flow: Path, marker: Path, *arguments: str) -> subprocess.Popen[str]:
    """The program at work on a step that has begun."""
    command = [sys.executable, "-m", "mainspring", *arguments]
    process = subprocess.Popen(
        command, cwd=flow, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not marker.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert marker.exists(), process.communicate()
    return process


def test_interrupt_then_resume(cli: Cli, flow: Path, tmp_path: Path) -> None:
    marker = tmp_path / "started"
    process = started(flow, marker, "run", "slow", "-p", f"started={marker}")
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, (out, err)
    assert "stopping…; resume with `mainspring resume 2" in err
    shown = cli("show", "--json").json["run"]
    assert shown["status"] == "paused"
    assert cli("rerun", "latest", "-p", "seconds=0").code == 0
    assert cli("show", shown["id"], "--json").json["run"]["status"] == "paused"


def test_killed_engine_then_resume(cli: Cli, flow: Path, tmp_path: Path) -> None:
    marker = tmp_path / "started"
    run = ("run", "slow", "-p", f"started={marker}", "-p", "seconds=3")
    process = started(flow, marker, *run)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = cli("resume", "latest")
    assert (done.code, done.err) == (0, "")
    attempts = cli("show", "latest", "nap", "--json").json["attempts"]
    assert [attempt["status"] for attempt in attempts] == ["succeeded"]  # it was adopted
