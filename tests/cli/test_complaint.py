"""Bad input: one message that says what, where and what to do; exit status 2; nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Cli, Worked, call


def refused(done: object, *texts: str) -> None:
    code, out, err = done  # type: ignore[misc]
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert [text for text in texts if text not in err] == []


def test_no_project(tmp_path: Path) -> None:
    refused(call(tmp_path, "runs"), "no mainspring.toml in", "mainspring init")


def test_no_such_directory(tmp_path: Path) -> None:
    refused(call(tmp_path, "runs", "-C", str(tmp_path / "nowhere")), "nowhere")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[project", "not valid TOML"),
        ('[project]\nnmae = "x"\n', "did you mean 'name'?"),
        ("[source]\n", "[project] is missing"),
        ("[project]\nname = 3\n", "project.name"),
    ],
)
def test_broken_settings(cli: Cli, flow: Path, text: str, said: str) -> None:
    (flow / "mainspring.toml").write_text(text)
    refused(cli("run"), "mainspring.toml", said)
    assert not (flow / ".mainspring").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mian"], "did you mean 'main'?"),
        (["flow:nope"], "has no pipeline 'nope'"),
        (["nowhere:x"], "there is no module 'nowhere'"),
        (["missing.yaml"], "there is no file missing.yaml"),
        (["-p", "nn=1"], "did you mean 'n'?"),
        (["-p", "n=many"], "no int"),
        (["--seed", "-1"], "--seed"),
        (["--force", "totl"], "did you mean 'total'?"),
    ],
)
def test_wrong_request(cli: Cli, arguments: list[str], said: str) -> None:
    refused(cli("run", *arguments), said)
    assert cli("runs").out == ""


def test_error_in_the_pipeline_has_its_place(cli: Cli, flow: Path) -> None:
    (flow / "flow.py").write_text("import nothing_like_it\n")
    refused(cli("plan"), "flow.py:1", "nothing_like_it")
    (flow / "flow.py").write_text("x = (\n")
    refused(cli("plan"), "flow.py:1", "SyntaxError")


@pytest.mark.parametrize("verb", ["show", "logs", "resume", "cancel", "pause", "rerun"])
def test_unknown_run(worked: Worked, verb: str) -> None:
    refused(worked(verb, "nope"), "there is no run 'nope'", "mainspring runs")


def test_ambiguous_run(worked: Worked) -> None:
    refused(worked("show", worked.computed[:4]), "more than one run", worked.failed)


def test_unknown_task(worked: Worked) -> None:
    refused(worked("show", "latest", "totl"), "did you mean total?")


def test_no_runs_yet(cli: Cli) -> None:
    refused(cli("show"), "there are no runs yet", "mainspring run")


def test_home_that_is_a_file(cli: Cli, flow: Path) -> None:
    (flow / ".mainspring").write_text("")
    refused(cli("runs"), "home")


def test_store_that_is_none(cli: Cli, flow: Path) -> None:
    (flow / ".mainspring").mkdir()
    (flow / ".mainspring" / "store.db").write_text("not a database, but a long enough text " * 9)
    refused(cli("runs"), "not a Mainspring store")
