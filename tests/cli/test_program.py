from __future__ import annotations

import pytest
from click.testing import CliRunner
from tests.cli.conftest import Cli, Worked

from mainspring.cli.invocation import Invocation
from mainspring.cli.overview import VERBS
from mainspring.cli.program import execute, make_program


@pytest.mark.parametrize("verb", [*VERBS, "artifacts list", "artifacts get", "artifacts open"])
def test_help_of_every_verb(verb: str) -> None:
    done = CliRunner().invoke(make_program(), [*verb.split(), "--help"], obj=Invocation())
    assert done.exit_code == 0
    assert f"Usage: mainspring {verb}" in done.output
    assert "--json" in done.output


def test_unknown_verb(cli: Cli) -> None:
    done = cli("rnu")
    assert done == (2, "", "error: there is no verb 'rnu'\n  hint: did you mean 'run'?\n")
    assert "mainspring --help" in cli("zzz").err


def test_unknown_option(cli: Cli) -> None:
    done = cli("run", "--sed", "3")
    assert done.code == 2
    assert done.err.startswith("error: no such option '--sed'")
    assert "mainspring run --help" in done.err


def test_a_mistake_in_the_command_line_is_told_as_json(cli: Cli, valid: object) -> None:
    import json

    done = cli("run", "--json", "--sed")
    assert done.out == ""
    error = valid(json.loads(done.err))["error"]  # type: ignore[operator]
    assert (error["kind"], error["exit_code"]) == ("UsageError", 2)


def test_json_after_the_end_of_options_is_a_name(cli: Cli) -> None:
    done = cli("run", "--", "--json")
    assert done.code == 2
    assert done.err.startswith("error: there is no pipeline '--json'")


def test_global_options_before_and_after_the_verb(worked: Worked) -> None:
    before = worked("--json", "-C", str(worked.root), "runs").json
    after = worked("runs", "--json", "-C", str(worked.root)).json
    assert before == after


def test_project_option_from_elsewhere(worked: Worked, tmp_path: object) -> None:
    from tests.cli.conftest import call

    done = call(tmp_path, "runs", "-C", str(worked.root))  # type: ignore[arg-type]
    assert worked.computed in done.out


def test_bug_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_it(*_: object) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr("mainspring.app.listing.list_runs", break_it)
    monkeypatch.setattr("mainspring.cli.invocation.Invocation.open", lambda *_, **__: None)
    monkeypatch.delenv("MAINSPRING_DEBUG", raising=False)
    assert execute(["runs"]) == 70
    error = capsys.readouterr().err
    assert "this is a bug in Mainspring: RuntimeError: surprise" in error
    assert "MAINSPRING_DEBUG=1" in error
    assert "Traceback" not in error
    monkeypatch.setenv("MAINSPRING_DEBUG", "1")
    execute(["runs"])
    assert "Traceback" in capsys.readouterr().err
