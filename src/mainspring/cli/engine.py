"""`mainspring engine`: work on the runs that are on record, with other engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, given, verb

if TYPE_CHECKING:
    from mainspring.execution.context import Event


@verb()
@click.option("--until-idle", is_flag=True, help="End when no unfinished run is left.")
@choices.quiet_option
@given
def command(invocation: Invocation, until_idle: bool, quiet: bool) -> int:
    """Work on every unfinished run of the store, and on those that appear.

    Other engines, here and on other machines, share the work. Ctrl-C lets the tasks at work end and
    pauses no run; twice it ends at once.
    """
    from mainspring.app.engine import serve
    from mainspring.app.occupancy import in_use
    from mainspring.app.views import EngineView
    from mainspring.cli.plain import say_stopping

    project = invocation.open()
    lines = Lines(invocation, quiet=quiet or invocation.json)

    def stop() -> None:
        say_stopping("stopping when the tasks at work have ended; Ctrl-C again ends them")

    with in_use(project.home):
        lines.begin(until_idle=until_idle)
        rest = serve(project, until_idle=until_idle, listener=lines.hear, on_interrupt=stop)
    if invocation.json:
        invocation.emit(EngineView(runs={run: status.value for run, status in rest.items()}))
    return 0


class Lines:
    """Prints a line for each task and run, and none for each element of a map."""

    def __init__(self, invocation: Invocation, *, quiet: bool) -> None:
        self._screen = invocation.screen
        self._errors = invocation.errors
        self._quiet = quiet

    def begin(self, *, until_idle: bool) -> None:
        """Say that it is up."""
        if not self._quiet:
            end = "ends when no run is left" if until_idle else "Ctrl-C ends it"
            self._screen.line(f"engine at work; {end}")

    def hear(self, event: Event) -> None:
        """Tell what happened."""
        from mainspring.cli import wording
        from mainspring.cli.screen import clean

        if event.kind == "store":
            self._errors.line(
                f"{self._errors.paint('note:', 'yellow')} {clean(event.reason or '')}"
            )
            return
        if self._quiet or (event.kind == "element" and event.status != "failed"):
            return
        sign, style = wording.symbol_of(event.status)
        mark = self._screen.paint(sign, style)
        word = {"ready": "again"}.get(event.status, event.status)
        took = f" in {wording.duration(event.seconds)}" if event.seconds is not None else ""
        detail = event.error.message if event.error is not None else event.reason or ""
        path = f"  {clean(event.path)}" if event.path else ""
        rest = f"  {clean(detail)}" if detail else ""
        self._screen.line(f"{mark} {event.run}{path}  {word}{took}{rest}")
