from __future__ import annotations

from typing import Any

from tests.cli.conftest import Worked


def test_two_ways_to_name_a_task(worked: Worked) -> None:
    one = worked("why", f"{worked.failed}/double[13]")
    assert one == worked("why", worked.failed, "double[13]")
    assert one.code == 0


def test_what_changed(worked: Worked, valid: Any) -> None:
    found = valid(worked("why", worked.failed, "prep/numbers", "--json").json)
    assert found["reason"] == "parameter n 3 → 15"
    assert found["differences"] == ["parameter n 3 → 15"]
    assert found["compared"] == f"{worked.reused}/prep/numbers"
    assert "~ parameter n 3 → 15" in worked("why", f"{worked.failed}/prep/numbers").out


def test_reused(worked: Worked) -> None:
    out = worked("why", worked.reused, "total").out
    assert f"same code, inputs and parameters as {worked.computed}/total" in out
    assert f"nothing differs from {worked.computed}/total" in out


def test_child_of_a_map(worked: Worked) -> None:
    assert "x  13" in worked("why", worked.failed, "double[13]").out


def test_blocked(worked: Worked) -> None:
    assert "double is failed: 1 of 15 elements" in worked("why", worked.failed, "total").out


def test_a_run_alone_is_not_enough(worked: Worked) -> None:
    assert worked("why", worked.failed).code == 2
