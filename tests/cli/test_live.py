"""The tree that is drawn on a terminal, in a real pseudo-terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import environment

from mainspring.cli import live
from mainspring.cli.live import LiveProgress, _bar, _fitting
from mainspring.cli.screen import Screen
from mainspring.cli.tally import Tally
from mainspring.cli.tree import Entry, fold


def on_terminal(
    root: Path, *arguments: str, keys: bytes = b"", marker: Path | None = None, **env: str
) -> tuple[int, str]:
    """Run the program on a terminal; type `keys` once `marker` is there."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover
        os.chdir(root)
        os.execve(
            sys.executable, [sys.executable, "-m", "mainspring", *arguments], environment(**env)
        )
    out, deadline = b"", time.monotonic() + 90
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                break
            if not piece:
                break
            out += piece
        if keys and marker is not None and marker.exists():
            os.write(terminal, keys)
            keys = b""
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), out.decode()


# forkpty in a process that xdist gave threads: the child only calls exec.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*forkpty.*:DeprecationWarning", "ignore:.*fork.*:DeprecationWarning"
)


def test_tree(flow: Path) -> None:
    code, out = on_terminal(flow, "run", "-p", "n=4")
    assert code == 0
    assert "\x1b[?25l" in out  # the cursor is hidden while it is drawn
    assert out.rindex("\x1b[?25h") > out.rindex("\x1b[?25l")
    last = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", out[max(0, out.rindex("\x1b[?25h") - 600) :])
    assert "prep/" in last
    assert "4 elements" in last
    assert "✓ succeeded" in last


def test_no_color(flow: Path) -> None:
    for name, arguments, env in (
        ("variable", (), {"NO_COLOR": "1"}),
        ("option", ("--no-color",), {}),
    ):
        _, out = on_terminal(flow, "run", *arguments, **env)
        colours = re.findall(r"\x1b\[(?:[\d;]*;)?3\d(?:;[\d;]*)?m", out)
        assert colours == [], name


def test_interrupt(flow: Path, tmp_path: Path) -> None:
    marker = tmp_path / "started"
    code, out = on_terminal(
        flow, "run", "slow", "-p", f"started={marker}", keys=b"\x03", marker=marker
    )
    assert code == 130
    assert "stopping…; resume with `mainspring resume 2" in out
    assert out.rindex("\x1b[?25h") > out.rindex("\x1b[?25l")


def test_bar() -> None:
    assert _bar(0.0).strip("╌") == ""
    assert _bar(1.0).strip("━") == ""


def test_what_is_at_work_is_shown_when_not_all_fits() -> None:
    entries = [Entry(f"done{n}", "step", "succeeded") for n in range(50)]
    entries += [Entry("busy", "step", "running"), Entry("bad", "step", "failed")]
    entries += [Entry(f"later{n}", "step", "pending") for n in range(50)]
    shown = list(_fitting(fold(entries, groups=True), 10))
    assert len(shown) == 10
    assert {"busy", "bad"} <= {row.label for row in shown}
    assert shown[-1].label == "… and 93 more lines"


def test_a_large_tree_is_folded_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = Tally([], {}, lambda _: None)
    tally.entries = {"a": Entry("a", "step", "running")}
    progress = LiveProgress(Screen(io.StringIO(), color=False), tally)
    clock = iter([10.0, 10.1, 11.0, 12.2, 12.3, 12.4, 12.5])
    monkeypatch.setattr(live.time, "monotonic", lambda: next(clock))
    first = progress._folded()  # takes 0.1 s: the next one not before 12.1
    assert progress._folded() is first
    assert progress._folded() is not first
    progress._over = True
    assert progress._folded() is not first  # the last picture is of the end
