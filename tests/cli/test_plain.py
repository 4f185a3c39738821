from __future__ import annotations

import io

from mainspring.cli.plain import PlainProgress
from mainspring.cli.screen import Screen
from mainspring.cli.tally import Tally
from mainspring.execution.context import Event


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_elements_of_a_map_are_told_now_and_then() -> None:
    out, clock = io.StringIO(), Clock()
    progress = PlainProgress(
        Screen(out, color=False), Tally([], {}, lambda _: 10_000, clock), clock
    )
    for index in range(10_000):
        clock.now += 0.001
        for status in ("running", "succeeded"):
            progress.hear(Event(run="r", path=f"m[{index}]", kind="element", status=status))
    lines = out.getvalue().splitlines()
    assert 18 <= len(lines) <= 22
    assert lines[0].endswith("▶ m  running  0/10000")


def test_control_characters_do_no_harm() -> None:
    out = io.StringIO()
    progress = PlainProgress(Screen(out, color=False), Tally([], {}, lambda _: None))
    progress.hear(
        Event(run="r", path="a", kind="step", status="running", reason="\x1b[2Jnew\nline")
    )
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().count("\n") == 1
