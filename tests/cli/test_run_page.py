from __future__ import annotations

from tests.cli.conftest import Worked


def test_page_of_a_failed_run(worked: Worked) -> None:
    out = worked("show", worked.failed).out
    assert f"run {worked.failed}  main  ✗ failed in" in out
    assert "parameters   n=15" in out
    assert "    ✓ numbers" in out
    assert "1 of 15 elements did not succeed: 13" in out
    assert "flow.py:16: ValueError: unlucky thirteen" in out
    assert 'raise ValueError("unlucky thirteen")' in out
    assert f"mainspring logs {worked.failed} 'double[13]'" in out


def test_page_of_a_good_run(worked: Worked) -> None:
    out = worked("show", worked.computed).out
    assert "passed  enough  data" in out
    assert "total.result" in out


def test_no_colours_in_a_pipe(worked: Worked) -> None:
    assert "\x1b" not in worked("show", worked.failed).out
