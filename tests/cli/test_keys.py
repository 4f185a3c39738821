from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Where this test's keys are."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def test_making_showing_and_trusting(
    cli: Cli, valid: Any, home: dict[str, str], tmp_path: Path
) -> None:
    assert "keys new" in cli("keys", "list", env=home).err
    [made] = valid(cli("keys", "new", "--json", env=home).json)["keys"]
    assert made["name"] == "default"
    assert made["own"]
    shown = cli("keys", "show", env=home)
    assert made["id"] in shown.out
    assert "PRIVATE" not in shown.out
    pem = tmp_path / "alice.pem"
    pem.write_text(shown.out)

    bob = {"XDG_CONFIG_HOME": str(tmp_path / "bob")}
    assert cli("keys", "trust", "alice", str(pem), env=bob).out == f"alice  {made['id']}\n"
    [known] = valid(cli("keys", "list", "--json", env=bob).json)["keys"]
    assert (known["name"], known["own"], known["id"]) == ("alice", False, made["id"])
    assert "trusted" in cli("keys", "list", env=bob).out
    assert cli("keys", "untrust", "alice", env=bob).code == 0
    assert cli("keys", "list", env=bob).out == ""


def test_mistakes(cli: Cli, home: dict[str, str], tmp_path: Path) -> None:
    cli("keys", "new", "me", env=home)
    again = cli("keys", "new", "me", env=home)
    assert (again.code, "already" in again.err) == (2, True)
    assert "no key 'you'" in cli("keys", "show", "you", env=home).err
    assert "nobody" in cli("keys", "untrust", "you", env=home).err
    private = tmp_path / "config" / "mainspring" / "keys" / "me.pem"
    assert "private key" in cli("keys", "trust", "x", str(private), env=home).err
    assert "can't be read" in cli("keys", "trust", "x", "missing.pem", env=home).err
    other = tmp_path / "text"
    other.write_text("hello")
    assert "no ed25519 key" in cli("keys", "trust", "x", str(other), env=home).err
