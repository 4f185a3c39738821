from __future__ import annotations

from typing import Any

from tests.cli.conftest import Worked


def test_the_same_run(worked: Worked) -> None:
    done = worked("diff", worked.computed, worked.computed, "--exit-code")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("nothing differs\n")


def test_two_runs(worked: Worked, valid: Any) -> None:
    done = worked("diff", worked.reused, worked.failed)
    assert done.code == 0
    assert done.out.startswith(f"- {worked.reused}  ")
    assert "~  n  3 → 15" in done.out
    assert "parameter n 3 → 15" in done.out
    found = valid(worked("diff", worked.reused, worked.failed, "--json").json)
    assert [one["name"] for one in found["parameters"]] == ["n"]
    assert found["before"]["id"] == worked.reused


def test_the_status_says_it_on_request(worked: Worked) -> None:
    assert worked("diff", worked.reused, worked.failed, "--exit-code").code == 1


def test_two_runs_have_to_be_named(worked: Worked) -> None:
    assert worked("diff", worked.reused).code == 2
    assert "nosuch" in worked("diff", worked.reused, "nosuch").err
