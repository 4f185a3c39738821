from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli
from tests.cli.test_run import started


def test_dry_run_lists_the_same(cli: Cli, valid: Any) -> None:
    cli("run")
    cli("run", "-p", "n=1")
    dry = valid(cli("gc", "--dry-run", "--older-than", "0s", "--json").json)
    real = valid(cli("gc", "--older-than", "0s", "--json").json)
    assert (dry["deleted"], real["deleted"]) == (False, True)
    assert dry["items"] == real["items"] != []


def test_results_still_stand(cli: Cli) -> None:
    cli("run")
    cli("gc")
    assert cli("run", "--json").json["counts"]["reused"] == 6


def test_refused_while_a_run_is_at_work(cli: Cli, flow: Path, tmp_path: Path) -> None:
    marker = tmp_path / "started"
    process = started(flow, marker, "run", "slow", "-p", f"started={marker}")
    try:
        done = cli("gc")
        assert (done.code, "at work in this project" in done.err) == (2, True)
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.mark.parametrize("age", ["30", "d", "-1d", "30 days"])
def test_age(cli: Cli, age: str) -> None:
    assert "not " in cli("gc", f"--older-than={age}").err
