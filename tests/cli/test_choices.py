from __future__ import annotations

from tests.cli.conftest import Worked


def complete(worked: Worked, line: str, word: int) -> list[str]:
    env = {"_MAINSPRING_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(word)}
    done = worked(env=env)
    assert done.err == ""
    return [entry.partition(",")[2] for entry in done.out.splitlines() if entry]


def test_completion_scripts(worked: Worked) -> None:
    for shell in ("bash", "zsh", "fish"):
        done = worked(env={"_MAINSPRING_COMPLETE": f"{shell}_source"})
        assert "_MAINSPRING_COMPLETE" in done.out


def test_verbs(worked: Worked) -> None:
    assert complete(worked, "mainspring re", 1) == ["resume", "rerun"]


def test_pipelines(worked: Worked) -> None:
    assert complete(worked, "mainspring run ", 2) == ["main", "slow", "tuned", "tiny"]


def test_runs(worked: Worked) -> None:
    found = complete(worked, "mainspring show ", 2)
    assert found == ["latest", worked.failed, worked.reused, worked.computed]
    assert complete(worked, "mainspring show lat", 2) == ["latest"]


def test_tasks(worked: Worked) -> None:
    assert complete(worked, "mainspring show latest ", 3) == [
        "prep/numbers",
        "double",
        "total",
        "enough",
    ]


def test_nothing_outside_of_a_project(worked: Worked) -> None:
    from pathlib import Path

    outside = worked._replace(root=Path(worked.root.anchor))
    assert complete(outside, "mainspring show ", 2) == []


def test_parameters_need_an_equals_sign(worked: Worked) -> None:
    done = worked("plan", "-p", "n")
    assert done.code == 2
    assert done.err.startswith("error: -p takes NAME=VALUE, not 'n'")
