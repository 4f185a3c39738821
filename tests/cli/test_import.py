from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli, call


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    root = tmp_path / "elsewhere"
    root.mkdir()
    (root / "mainspring.toml").write_text('[project]\nname = "elsewhere"\n')
    return root


def test_a_run_goes_elsewhere(cli: Cli, valid: Any, tmp_path: Path, elsewhere: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    run = cli("run", "tiny", "--json").json["run"]["id"]
    key = cli("keys", "new", "--json", env=home).json["keys"][0]["id"]
    target = str(tmp_path / "x.crate.zip")
    assert cli("export", "-o", target, env=home).code == 0

    stranger = {"XDG_CONFIG_HOME": str(tmp_path / "stranger")}
    refused = call(elsewhere, "import", target, env=stranger)
    assert refused.code == 2
    assert "unknown signer" in refused.err
    assert f"--trust {key}" in refused.err
    view = valid(call(elsewhere, "import", target, "--trust", key, "--json", env=stranger).json)
    assert (view["run"], view["signer"], view["present"]) == (run, key, False)
    again = call(elsewhere, "import", target, "--trust", key, env=stranger)
    assert again.out == f"run {run} is here already: nothing was recorded\n"

    shown = valid(call(elsewhere, "show", run, "--json").json)
    assert shown["imported"]["signer"] == key
    assert f"signed by {key}" in call(elsewhere, "show", run).out
    assert call(elsewhere, "diff", run, run).code == 0
    assert call(elsewhere, "rerun", run, "-q").code == 0
    assert call(elsewhere, "store", "check").code == 0


def test_unsigned(cli: Cli, tmp_path: Path, elsewhere: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    cli("run", "tiny")
    target = str(tmp_path / "x.crate.zip")
    assert "not signed" in cli("export", "--unsigned", "-o", target, env=home).out
    refused = call(elsewhere, "import", target, env=home)
    assert "nobody vouches for it" in refused.err
    assert "--allow-unsigned" in refused.err
    taken = call(elsewhere, "import", target, "--allow-unsigned", env=home)
    assert "signed by nobody" in taken.out
    assert "not reused" in taken.out
    assert "signed by nobody" in call(elsewhere, "show", "latest").out


def test_what_is_no_capsule(cli: Cli, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("hello")
    assert "no zip" in cli("import", str(text)).err
    assert "can't be read" in cli("import", "missing.crate.zip").err
