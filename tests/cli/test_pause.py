from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Cli, Worked
from tests.cli.test_run import started


def test_ended_run_is_refused(worked: Worked) -> None:
    assert worked("pause", worked.computed).code == 2


def test_tasks_at_work_end_and_the_run_waits(cli: Cli, flow: Path, tmp_path: Path) -> None:
    marker = tmp_path / "started"
    run = ("run", "slow", "-p", f"started={marker}", "-p", "seconds=2")
    process = started(flow, marker, *run)
    assert cli("pause", "latest").code == 0
    out, _ = process.communicate(timeout=60)
    counts = cli("show", "--json").json["counts"]
    assert counts == {"succeeded": 1}, out
