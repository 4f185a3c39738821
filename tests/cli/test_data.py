"""`mainspring data`, as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli

Valid = Callable[[Any], Any]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "a").mkdir(parents=True)
    (root / "a" / "1").write_text("one")
    (root / "2\x1b[31m").write_text("two")
    return root


def test_a_dataset_from_beginning_to_end(
    cli: Cli, data: Path, tmp_path: Path, valid: Valid
) -> None:
    assert cli("data", "list").err == (
        "no datasets yet: `mainspring data add NAME PATH` makes one\n"
    )
    assert cli("data", "add", "words", str(data)).out == "words@v1: 2 files, 6 B\n"
    again = cli("data", "add", "words", str(data)).out
    assert again == "no change: it is still words@v1 (2 files, 6 B)\n"
    (data / "a" / "1").write_text("three")
    added = valid(cli("--json", "data", "add", "words", str(data), "-m", "m").json)
    assert (added["new"], added["version"]["number"]) == (True, 2)
    assert cli("data", "list").out.split()[:5] == ["words@v2", "2", "files", "8", "B"]
    listed = valid(cli("data", "log", "words", "--json").json)
    assert [version["number"] for version in listed["versions"]] == [2, 1]
    shown = cli("data", "show", "words").out
    assert "2[31m" in shown
    assert "\x1b" not in shown
    assert valid(cli("data", "show", "words@v1", "--json").json)["listed"][1]["path"] == ("a/1")
    assert "… and 1 more" in cli("data", "show", "words", "--limit", "1").out
    out = tmp_path / "out"
    assert cli("data", "checkout", "words@v1", str(out)).out == f"wrote words@v1 to {out}\n"
    assert (out / "a" / "1").read_text() == "one"
    assert cli("data", "checkout", "words@v1", str(out)).out.endswith(f"is already in {out}\n")
    found = cli("data", "checkout", "words", str(out), "--json")
    assert valid(found.json)["place"] == str(out)
    assert cli("data", "verify", "words").out == "words@v2 is whole (2 files, 8 B read)\n"
    assert cli("data", "pin", "words").out == "words@v2 is pinned\n"
    assert "pinned" in cli("data", "log", "words").out
    assert valid(cli("data", "unpin", "words", "--json").json)["versions"]


def test_damage_is_an_exit_status(cli: Cli, data: Path, flow: Path, valid: Valid) -> None:
    cli("data", "add", "words", str(data))
    blobs = [path for path in (flow / ".mainspring/blobs/blake3").rglob("*") if path.is_file()]
    [one] = [path for path in blobs if path.read_bytes() == b"one"]
    one.unlink()
    found = cli("data", "verify", "words")
    assert found.code == 1
    assert found.out.startswith("fault: a/1 is missing\nwords@v1 is damaged")
    assert "stores again what is missing" in found.err
    assert valid(cli("data", "verify", "words", "--json").json)["faults"] == [
        {"path": "a/1", "fault": "is missing"}
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "a-b", "."], "'a-b' can't be the name of a dataset"),
        (["add", "a", "nowhere"], "there is no file or directory nowhere"),
        (["add", "a", ".", "--link", "--reference"], "--link and --reference exclude each other"),
        (["show", "a"], "there is no dataset 'a'"),
        (["checkout", "a@", "x"], "'a@' names no version"),
    ],
)
def test_what_is_wrong_is_said(cli: Cli, arguments: list[str], message: str) -> None:
    found = cli("data", *arguments)
    assert found.code == 2
    assert message in found.err
    assert "Traceback" not in found.err
