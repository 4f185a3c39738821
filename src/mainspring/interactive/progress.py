"""A run at work, shown in the cell that started it and drawn again as it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from mainspring.app.project import Project
from mainspring.app.showing import run_detail
from mainspring.app.views import TaskView
from mainspring.cli import wording
from mainspring.execution.context import Event
from mainspring.interactive import pages

EVERY = 0.25
"""Seconds between two drawings at least: a page may have many cells, and the kernel has to work."""


class Display(Protocol):
    """What IPython's `display(..., display_id=True)` returns."""

    def update(self, obj: Any) -> None: ...


class Picture:
    """A state of a run, as HTML and as text."""

    def __init__(self, html: str, text: str) -> None:
        self._html = html
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return self._html


class Progress:
    """Watches one run, and draws it by `show`, which returns what can be drawn again."""

    def __init__(
        self, show: Callable[[Picture], Display], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._show = show
        self._clock = clock
        self._display: Display | None = None
        self._project: Project | None = None
        self._run = ""
        self._note = ""
        self._drawn = 0.0
        self._pause = EVERY

    def begin(self, project: Project, run: str) -> None:
        """The run is on record: draw it for the first time."""
        self._project, self._run = project, run
        self._display = self._show(self._picture())
        self._drawn = self._clock()

    def hear(self, event: Event) -> None:
        """Draw again, unless that was done a moment ago."""
        if event.kind == "store":
            self._note = event.reason or ""
        if self._clock() - self._drawn >= self._pause:
            self._draw()

    def stopping(self) -> None:
        """An interrupt was heard (in a signal handler: nothing is drawn here)."""
        self._note = f"stopping…; go on with `%mainspring resume {self._run}`"

    def end(self) -> None:
        """Draw the last picture."""
        self._draw()

    def _draw(self) -> None:
        if self._display is not None:
            begun = self._clock()
            self._display.update(self._picture())
            self._drawn = self._clock()
            # A run with many tasks takes longer to draw: the engine's time counts for more.
            self._pause = max(EVERY, 10 * (self._drawn - begun))

    def _picture(self) -> Picture:
        assert self._project is not None
        found = run_detail(self._project, self._project.store.read.run(self._run))
        html = pages.progress_page(found.run, found.tasks, self._note, found.failed[:5])
        lines = [f"run {found.run.id} of {found.run.pipeline}: {wording.run_status(found.run)}"]
        lines += [_line(task) for task in found.tasks]
        return Picture(html, "\n".join([*lines, *([self._note] if self._note else [])]))


def _line(task: TaskView) -> str:
    sign, _ = wording.symbol_of(task.status)
    took = wording.duration(task.seconds) if task.status not in ("running", "open") else ""
    failed = f" {task.error.message}" if task.error and task.status == "failed" else ""
    return f"  {sign} {task.path} {task.status} {took}".rstrip() + failed
