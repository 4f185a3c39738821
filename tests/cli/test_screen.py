from __future__ import annotations

import io

from mainspring.cli.screen import Cell, Screen, clean, clean_block, shorten, width_of


def test_columns_line_up_whatever_the_script() -> None:
    out = io.StringIO()
    Screen(out, color=False).table([["a", "x"], ["日本", "y"], ["abc", "z"]])
    assert out.getvalue() == "a     x\n日本  y\nabc   z\n"


def test_colours_do_not_shift_columns() -> None:
    out = io.StringIO()
    Screen(out, color=True).table([[Cell("a", "red"), "x"], ["abc", "y"]])
    assert out.getvalue() == "\x1b[31ma\x1b[0m    x\nabc  y\n"


def test_nothing_is_cut_in_a_pipe() -> None:
    out = io.StringIO()
    Screen(out, color=False).table([["a", "x" * 500]])
    assert out.getvalue() == f"a  {'x' * 500}\n"


def test_clean() -> None:
    assert clean("a\x1b[31m\nb\x07") == "a[31m b"
    assert clean_block("a\n\tb\x1b\x9b") == "a\n\tb"


def test_widths() -> None:
    assert width_of("e\u0301") == 1
    assert shorten("日本語", 5) == "日本…"
    assert shorten("abc", 3) == "abc"
