from __future__ import annotations

from typing import Any

from tests.cli.conftest import Worked


def test_newest_first_in_columns(worked: Worked) -> None:
    lines = worked("runs").out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "RUN",
        worked.failed,
        worked.reused,
        worked.computed,
    ]
    at = lines[0].index("STATUS")
    assert {line[at : at + 3] for line in lines[1:]} == {"✓ s", "✗ f"}


def test_filters(worked: Worked, valid: Any) -> None:
    def ids(*arguments: str) -> list[str]:
        return [run["id"] for run in valid(worked("runs", "--json", *arguments).json)["runs"]]

    assert ids("--status", "failed") == [worked.failed]
    assert ids("--limit", "1") == [worked.failed]
    assert ids("--pipeline", "main", "--status", "succeeded") == [worked.reused, worked.computed]
    assert ids("--pipeline", "tiny") == []


def test_nothing_to_list(worked: Worked) -> None:
    assert worked("runs", "--pipeline", "tiny") == (0, "", "no such runs\n")


def test_conditions(worked: Worked, valid: Any) -> None:
    def ids(*arguments: str) -> list[str]:
        return [run["id"] for run in valid(worked("runs", "--json", *arguments).json)["runs"]]

    assert ids("--where", "params.n > 3 and status == failed") == [worked.failed]
    assert ids("--where", "params.n == 3", "--order-by", "created") == [
        worked.computed,
        worked.reused,
    ]
    assert ids("--order-by", "params.n:desc", "--limit", "1") == [worked.failed]
    assert ids("--where", "params.n == 3", "--status", "failed") == []
    assert ids("--where", "created > ago('1h')", "--pipeline", "tiny") == []


def test_what_was_asked_for_is_shown(worked: Worked) -> None:
    done = worked("runs", "--where", "params.n > 3 or tags.best", "--order-by", "metrics.loss")
    head, line = done.out.splitlines()
    assert head.split()[5:] == ["metrics.loss", "params.n", "tags.best", "PARAMETERS"]
    at = head.index("params.n")
    assert line[at : at + 3] == "15 "
    assert worked("runs", "--where", "tags.best") == (0, "", "no such runs\n")


def test_a_condition_that_is_wrong(worked: Worked) -> None:
    for arguments, said in [
        (("--where", "params.n = 3"), "hint: write `==` to compare"),
        (("--where", "status == 3"), "`status` is a text"),
        (("--where", "x" * 20_000), "longer than 10,000 characters"),
        (("--order-by", "nothing"), "unknown name `nothing`"),
        (("--where", ""), "the condition is empty"),
    ]:
        done = worked("runs", *arguments)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
        assert "Traceback" not in done.err


def test_a_name_that_may_be_misspelt(worked: Worked) -> None:
    done = worked("runs", "--where", "params.nn > 3 and tags.best")
    assert (done.code, done.out) == (0, "")
    said = "  hint: none of the last runs has `params.nn`; did you mean `params.n`?"
    assert done.err.splitlines() == ["no such runs", said]
    assert worked("runs", "--where", "params.n > 300").err == "no such runs\n"
    assert worked("runs", "--where", "params.nn > 3", "--json").err == ""
