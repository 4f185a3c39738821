from __future__ import annotations

from tests.cli.conftest import Worked


def test_map(worked: Worked) -> None:
    out = worked("show", worked.failed, "double").out
    assert out.startswith("double  map  ✗ failed")
    lines = out.splitlines()
    first = lines[lines.index("children") + 1]
    assert "double[13]" in first  # failed ones first


def test_step(worked: Worked) -> None:
    out = worked("show", worked.computed, "total").out
    assert "✓ succeeded" in out
    assert "attempts" in out
    assert "xs  list" in out
    assert "/log" in out


def test_reused_step_says_from_where(worked: Worked) -> None:
    assert f"{worked.computed}/total" in worked("show", worked.reused, "total").out
