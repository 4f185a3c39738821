"""Progress as a tree that is drawn again a few times a second, on a terminal."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mainspring.cli import wording
from mainspring.cli.plain import map_text
from mainspring.cli.screen import Screen, clean
from mainspring.cli.tally import Tally
from mainspring.cli.tree import SETTLED, Row, fold
from mainspring.execution.context import Event

PER_SECOND = 8
SHARE = 0.05  # of the time, at most, that folding a large tree may take
BAR = 20
_WHEEL = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ASIDE = 4  # lines that the tree leaves free


class LiveProgress:
    """Draws a tally in a thread of its own: what the engine calls only counts."""

    def __init__(self, screen: Screen, tally: Tally) -> None:
        self._tally = tally
        self._note = ""
        self._rows: list[Row] = []
        self._stale = 0.0
        self._over = False
        self._console = Console(
            file=screen.stream if isinstance(screen.stream, io.TextIOBase) else None,
            no_color=not screen.color,
            highlight=False,
        )
        self._live = Live(
            self, console=self._console, refresh_per_second=PER_SECOND, redirect_stdout=False,
            redirect_stderr=False,
        )  # fmt: skip

    def begin(self) -> None:
        """Start to draw."""
        self._live.start()

    def hear(self, event: Event) -> None:
        """Take note."""
        self._tally.hear(event)

    def stopping(self, text: str) -> None:
        """Have the next picture say that Ctrl-C was heard."""
        self._note = text

    def end(self) -> None:
        """Draw the last picture and leave it there."""
        self._over = True
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = max(3, options.size.height - _ASIDE)
        table = Table.grid(padding=(0, 1))
        for _ in range(3):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for row in _fitting(self._folded(), room):
            table.add_row(*self._cells(row))
        yield table
        if self._note:
            yield Text(self._note, style="yellow")

    def _folded(self) -> list[Row]:
        """The lines of the tree; of one so large that folding it takes long, those of a while ago:
        the engine waits while this thread computes."""
        begun = time.monotonic()
        if begun >= self._stale or self._over:
            self._rows = fold(list(self._tally.entries.values()), groups=True)
            now = time.monotonic()
            self._stale = now + (now - begun) / SHARE
        return self._rows

    def _cells(self, row: Row) -> Iterator[Text]:
        sign, style = wording.symbol_of(row.status)
        if row.status in ("running", "open"):
            sign = _WHEEL[int(self._tally.elapsed() * PER_SECOND) % len(_WHEEL)]
        yield Text("  " * row.depth + sign, style=style)
        yield Text(clean(row.label), style="bold" if row.status in ("running", "open") else "")
        entry = row.entry
        if entry is None:
            yield Text("")
            yield Text(wording.plural(row.count, "task") if row.count else "", style="dim")
            return
        yield Text(wording.duration(self._tally.seconds_of(entry)), style="dim")
        if entry.kind == "map" and entry.total and entry.status not in SETTLED:
            yield Text.assemble((_bar(entry.done / entry.total), "green"), " " + map_text(entry))
        else:
            yield Text(clean(entry.detail), style="red" if entry.status == "failed" else "dim")


def _bar(share: float) -> str:
    filled = int(share * BAR)
    return "━" * filled + "╌" * (BAR - filled)


def _fitting(rows: list[Row], room: int) -> Iterator[Row]:
    """What fits the terminal: tasks at work and failed ones first, then what was settled last."""
    if len(rows) <= room:
        yield from rows
        return
    rank = {"failed": 0, "running": 0, "open": 0, "waiting": 1, "ready": 2, "pending": 3}
    order = sorted(range(len(rows)), key=lambda n: (rank.get(rows[n].status, 2), -n))
    chosen = set(order[: room - 1])
    yield from (row for n, row in enumerate(rows) if n in chosen)
    left = len(rows) - len(chosen)
    yield Row(0, f"… and {left} more lines", "pending", None, 0)
