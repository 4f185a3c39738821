from __future__ import annotations

from typing import Any

from tests.cli.conftest import Cli


def test_tags_come_and_go(cli: Cli, valid: Any) -> None:
    run = cli("run", "--json", "tuned").json["run"]["id"]
    assert valid(cli("tag", run, "--json").json)["tags"] == {}
    found = valid(cli("tag", "latest", "best", "owner=ana = x", "--json").json)
    assert found == {
        "run": run,
        "tags": {"best": "", "owner": "ana = x"},
        "note": None,
        "format": "mainspring.annotations/1",
    }
    assert "tags" in cli("show").out
    assert "best owner=ana = x" in cli("runs").out
    assert valid(cli("show", "--json").json)["run"]["tags"] == found["tags"]
    assert run in cli("runs", "--where", "tags.owner == 'ana = x'").out
    done = cli("tag", run, "best=not really", "--remove", "owner", "--remove", "none")
    assert done.out == f"run {run}\n  best  not really\n"


def test_bad_tags_change_nothing(cli: Cli) -> None:
    cli("run", "--quiet", "tuned")
    for arguments, said in [
        (("good", "b d"), "'b d' is no name for a tag"),
        (("good", "=x"), "'' is no name for a tag"),
        (("good", "-"), "no name for a tag"),
        (("good", "a" * 101), "is no name for a tag"),
        (("good", "a=" + "x" * 257), "`mainspring note` takes longer texts"),
        (("good", "--remove", "good"), "both set and removed"),
        (("good", "--remove", "b d"), "no name for a tag"),
    ]:
        done = cli("tag", "latest", *arguments)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
    assert cli("tag", "latest").out.splitlines()[1] == "  no tags and no note"
    assert cli("tag", "nothing", "a").code == 2
