from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.cli.conftest import Cli


def test_what_it_prints(cli: Cli, valid: Callable[[Any], Any]) -> None:
    run = cli("run", "--queue", "-p", "n=2").out.strip()
    done = cli("engine", "--until-idle")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "engine at work; ends when no run is left"
    assert f"✓ {run}  double  succeeded  2 elements" in lines
    assert not any("double[" in line for line in lines)
    assert lines[-1] == f"✓ {run}  succeeded"
    queued = valid(cli("run", "--queue", "--json", "-p", "n=14").json)
    failed = cli("engine", "--until-idle", "--json")
    assert failed.code == 0
    assert valid(failed.json)["runs"] == {queued["run"]["id"]: "failed"}
    assert cli("engine", "--until-idle", "--quiet").out == ""


def test_a_failed_element_is_named(cli: Cli) -> None:
    run = cli("run", "--queue", "-p", "n=14").out.strip()
    out = cli("engine", "--until-idle").out
    assert f"✗ {run}  double[13]  failed" in out
    assert "unlucky thirteen" in out
