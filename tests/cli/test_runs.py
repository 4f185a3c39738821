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
