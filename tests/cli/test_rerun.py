from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Cli


def test_source_of_then_and_a_task_to_begin_with(cli: Cli, flow: Path) -> None:
    first = cli("run", "--json").json["run"]
    (flow / "flow.py").write_text("raise SystemExit\n")
    again = cli("rerun", first["id"], "--json").json
    assert again["counts"] == {"reused": 6, "succeeded": 1}
    assert again["run"]["parent"] == first["id"]
    assert again["run"]["snapshot"] == first["snapshot"]
    forced = cli("rerun", "latest", "--from", "total", "--json").json
    assert forced["counts"] == {"reused": 5, "succeeded": 2}


def test_with_another_parameter(cli: Cli) -> None:
    cli("run", "tiny")
    assert cli("rerun", "latest", "-p", "n=5", "--json").json["run"]["parameters"] == {"n": 5}
    done = cli("rerun", "latest", "-p", "nn=5")
    assert (done.code, "did you mean 'n'?" in done.err) == (2, True)


def test_unknown_task(cli: Cli) -> None:
    cli("run", "tiny")
    done = cli("rerun", "latest", "--from", "nope")
    assert done.code == 2
    assert "there is numbers" in done.err


def test_with_the_source_as_it_is_now(cli: Cli, flow: Path) -> None:
    first = cli("run", "tiny", "--json").json["run"]
    path = flow / "flow.py"
    path.write_text(path.read_text() + "\n# changed\n")
    again = cli("rerun", "latest", "--code", ".", "--json").json["run"]
    assert again["snapshot"] != first["snapshot"]
    assert (again["parameters"], again["parent"]) == (first["parameters"], first["id"])
    done = cli("rerun", "latest", "--code", "/")
    assert (done.code, "takes the project's directory" in done.err) == (2, True)


def test_it_says_in_what_it_differs(cli: Cli) -> None:
    first = cli("run", "tiny", "--json").json["run"]["id"]
    assert f"nothing differs from {first}" in cli("rerun", "latest", "-q").out
    told = cli("rerun", first, "--with", "n=5", "-q").out
    assert f"differs from {first} in" in told
    assert "parameters  n" in told
    assert f"mainspring diff {first} " in told
