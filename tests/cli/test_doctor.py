from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cli.conftest import Cli, call


def test_all_is_well(cli: Cli, valid: Any) -> None:
    cli("run")
    found = valid(cli("doctor", "--deep", "--json").json)
    assert {check["name"] for check in found["checks"]} >= {
        "python", "fork", "disk", "store", "blobs", "locks", "home",
    }  # fmt: skip
    assert [check for check in found["checks"] if check["status"] == "fail"] == []
    assert cli("doctor").code == 0


def test_damaged_blob(cli: Cli, flow: Path) -> None:
    cli("run", "tiny")
    digest = cli("artifacts", "list", "--json").json["artifacts"][0]["digest"]
    blob = flow / ".mainspring" / "blobs" / "blake3" / digest[7:9] / digest[9:]
    blob.chmod(0o644)
    blob.write_bytes(b"changed")
    done = cli("doctor", "--deep")
    assert done.code == 1
    assert "fail  blobs" in done.out
    assert cli("run", "tiny", "--json").json["counts"] == {"succeeded": 1}


def test_outside_of_a_project(tmp_path: Path) -> None:
    done = call(tmp_path, "doctor")
    assert done.code == 1
    assert "fail  project" in done.out
    assert "ok    python" in done.out


def test_steps_that_are_not_deterministic_are_named(cli: Cli, flow: Path) -> None:
    cli("run", "--json")
    assert cli("doctor", "determinism", "--json").json["steps"] == []
    path = flow / "flow.py"
    text = path.read_text()
    path.write_text(text.replace("return sum(", "import time\n    return time.time_ns() + sum(", 1))
    cli("run", "--json")
    done = cli("doctor", "determinism", "--json")
    assert done.code == 1, done
    [step] = done.json["steps"]
    assert step["differs"]
    assert step["suspects"][0]["name"] == "clock"
