from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cli.conftest import Cli


def test_a_run_is_exported_signed_or_plainly_not(cli: Cli, valid: Any, tmp_path: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    run = cli("run", "tiny", "--json").json["run"]["id"]
    refused = cli("export", env=home)
    assert refused.code == 2
    assert "no key to sign with" in refused.err
    assert "--unsigned" in refused.err
    plain = valid(cli("export", "--unsigned", "--json", env=home).json)
    assert (plain["path"], plain["signer"]) == (f"{run}.crate.zip", None)
    assert "already" in cli("export", "--unsigned", env=home).err

    made = valid(cli("keys", "new", "--json", env=home).json)["keys"][0]
    signed = cli("export", "latest", "-o", "x.crate.zip", env=home)
    assert signed.code == 0
    assert f"signed with {made['id']}" in signed.out
    assert "exclude" in cli("export", "--unsigned", "--key", "default", env=home).err
    assert "no key 'bob'" in cli("export", "--key", "bob", env=home).err


def test_a_capsule_is_no_source(cli: Cli) -> None:
    before = cli("run", "tiny", "--json").json["run"]["snapshot"]
    assert cli("export", "--unsigned").code == 0
    assert cli("run", "tiny", "--json").json["run"]["snapshot"] == before
