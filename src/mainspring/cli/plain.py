"""Progress as plain lines, one for each transition, for pipes and files."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

from mainspring.cli import wording
from mainspring.cli.screen import Screen, clean
from mainspring.cli.tally import Tally
from mainspring.cli.tree import SETTLED, Entry
from mainspring.execution.context import Event

MAP_EVERY = 0.5
"""Seconds at least between two lines about the elements of one map."""


class PlainProgress:
    """Prints what it hears; elements of maps become a line about their map now and then."""

    def __init__(
        self, screen: Screen, tally: Tally, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._screen = screen
        self._tally = tally
        self._clock = clock
        self._next: dict[str, float] = {}

    def begin(self) -> None:
        """Say what was settled before anything ran."""
        for entry in self._tally.entries.values():
            if entry.status in SETTLED:
                self._say(entry.path, entry.status, entry.detail)

    def hear(self, event: Event) -> None:
        """Take note, and print a line."""
        entry = self._tally.hear(event)
        if entry is None:
            return
        if event.kind == "element":
            self._map(entry, event.status)
            return
        if entry.kind == "map" and event.status in SETTLED:
            self._next.pop(entry.path, None)
        took = f"in {wording.duration(event.seconds)}" if event.seconds is not None else ""
        self._say(entry.path, event.status, " ".join(part for part in (took, entry.detail) if part))

    def stopping(self, text: str) -> None:
        """Say that Ctrl-C was heard."""
        say_stopping(text)

    def end(self) -> None:
        """Nothing is left to say."""

    def _map(self, entry: Entry, status: str) -> None:
        """A line at the first element that runs, then one now and then."""
        now = self._clock()
        first = self._next.setdefault(entry.path, 0.0 if status == "running" else now + MAP_EVERY)
        if now < first:
            return
        self._next[entry.path] = now + MAP_EVERY
        self._say(entry.path, "running", map_text(entry))

    def _say(self, path: str, status: str, detail: str) -> None:
        sign, style = wording.symbol_of(status)
        at = wording.duration(self._tally.elapsed())
        word = {"ready": "again"}.get(status, status)
        rest = f"  {clean(detail)}" if detail else ""
        self._screen.line(f"{at:>8}  {self._screen.paint(sign, style)} {clean(path)}  {word}{rest}")


def say_stopping(text: str) -> None:
    """Write straight to standard error: in a signal handler, which may have cut in on a print."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{text}\n".encode())


def map_text(entry: Entry) -> str:
    """`132/10000 (12 reused, 1 failed)`."""
    extra = {s: n for s, n in entry.counts.items() if s not in ("succeeded", "running") and n}
    more = f" ({wording.tally(extra)})" if extra else ""
    return f"{entry.done}/{entry.total if entry.total is not None else '?'}{more}"
