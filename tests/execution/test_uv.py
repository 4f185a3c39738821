"""What is said when uv is missing or fails, with a stand-in program: real builds are in
tests/execution/test_environments.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.execution.uv import Uv
from mainspring.records.errors import EnvironmentBuildError

SAYS = """#!/bin/sh
echo "$1 $VIRTUAL_ENV" >> "{log}"
echo "Using Python 3.11" >&2
echo "error: Failed to fetch: https://me:secret@example.invalid/simple/" >&2
echo "  cause: no such host" >&2
exit 2
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(SAYS.format(log=tmp_path / "log"), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("VIRTUAL_ENV", "/another")
    monkeypatch.delenv("UV_OFFLINE", raising=False)
    return program


def test_the_cache_is_asked_first_and_then_the_network(program: Path, tmp_path: Path) -> None:
    uv = Uv.find()
    assert uv.program == str(program)
    with pytest.raises(EnvironmentBuildError) as failed:
        uv.run(["pip", "sync"], what="the environment envs/one")
    assert str(failed.value) == (
        "the environment envs/one can't be built: "
        "error: Failed to fetch: https://example.invalid/simple/\n  cause: no such host"
    )
    assert (tmp_path / "log").read_text("utf-8") == "--offline \n--no-progress \n"


def test_who_works_offline_stays_offline(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(EnvironmentBuildError):
        Uv.find().run(["pip", "sync"])
    assert (tmp_path / "log").read_text("utf-8") == "--offline \n"


def test_no_uv_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "uv", None)
    with pytest.raises(EnvironmentBuildError, match="built by uv, and there is none on PATH"):
        Uv.find()
