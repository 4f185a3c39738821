from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Cli, Worked
from tests.cli.test_run import started


def test_finished_run_is_refused(worked: Worked) -> None:
    done = worked("resume", worked.computed)
    assert done.code == 2
    assert "has succeeded: there is nothing to resume" in done.err
    assert f"mainspring rerun {worked.computed}" in done.err


def test_failed_run_goes_on_from_its_own_source(cli: Cli, flow: Path) -> None:
    assert cli("run", "-p", "n=14", "-q").code == 1
    text = (flow / "flow.py").read_text()
    (flow / "flow.py").write_text(text.replace("x == 13", "x == 99"))
    # The recorded source still has the fault; what had succeeded does not run again.
    done = cli("resume", "latest", "--json")
    assert done.code == 1
    assert done.json["counts"] == {"succeeded": 14, "failed": 2, "blocked": 2}


def test_run_at_work_is_refused(cli: Cli, flow: Path, tmp_path: Path) -> None:
    marker = tmp_path / "started"
    process = started(flow, marker, "run", "slow", "-p", f"started={marker}")
    try:
        done = cli("resume", "latest")
        assert done.code == 2
        assert "at work already" in done.err
    finally:
        process.terminate()
        process.communicate(timeout=30)
