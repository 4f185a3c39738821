from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cli.conftest import Cli, Worked
from tests.cli.test_run import started


def test_ended_run_is_refused(worked: Worked) -> None:
    done = worked("cancel", worked.computed)
    assert done.code == 2
    assert "has ended already" in done.err


def test_run_at_work(cli: Cli, flow: Path, tmp_path: Path, valid: Any) -> None:
    marker = tmp_path / "started"
    process = started(flow, marker, "run", "slow", "-p", f"started={marker}")
    assert valid(cli("cancel", "latest", "--json").json)["exit_code"] == 0
    process.communicate(timeout=30)
    assert process.returncode == 1
    assert cli("show", "--json").json["run"]["status"] == "cancelled"
