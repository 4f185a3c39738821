from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.conftest import Cli, environment


def test_notes(cli: Cli, valid: Any, flow: Path) -> None:
    run = cli("run", "--json", "tuned").json["run"]["id"]
    assert cli("note", run, "first").out == f"run {run}\n  first\n"
    found = valid(cli("note", "latest", "--append", "second", "--json").json)
    assert found["note"] == "first\nsecond"
    assert "first…" in cli("runs", "--where", "contains(note, 'sec')").out
    assert valid(cli("show", "--json").json)["run"]["note"] == "first\nsecond"
    assert cli("note", run).out == f"run {run}\n  first\n  second\n"
    assert cli("note", run, "").out.splitlines()[1] == "  no tags and no note"

    def piped(data: bytes) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "mainspring", "note", run, "-"]
        return subprocess.run(
            command, cwd=flow, env=environment(), input=data, capture_output=True, check=False
        )

    assert piped("from a file: é\n".encode()).returncode == 0
    assert cli("note", run, "--json").json["note"] == "from a file: é"
    for data, said in [
        (b"\xff", b"not UTF-8"),
        (b"a\0b", b"no text may have"),
        (b"x" * 100_001, b"more than 100,000"),
        (b"x" * 10_000_000, b"more than 100,000"),
    ]:
        done = piped(data)
        assert done.returncode == 2
        assert said in done.stderr
    assert cli("note", run, "--append").code == 2
    assert cli("note", run, "--json").json["note"] == "from a file: é"
