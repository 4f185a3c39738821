"""`mainspring why`: why a task ran, or why it was reused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mainspring.cli import choices, wording
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.cli.screen import Cell, Screen, clean

if TYPE_CHECKING:
    from mainspring.app.views import WhyView


@verb()
@choices.run_argument()
@choices.task_argument
@given
def command(invocation: Invocation, run: str, task: str | None) -> None:
    """Say why a task ran, was reused, skipped or blocked.

    The task is named as RUN TASK or RUN/TASK; RUN is an id, the beginning of one, or `latest`.
    """
    from mainspring.app.why import explain

    if task is None:
        run, slash, task = run.partition("/")
        if not slash or not task:
            raise click.UsageError("name a task too: `mainspring why RUN/TASK`")
    project = invocation.open()
    found = explain(project, project.store.read.find_run(run), task)
    if invocation.json:
        invocation.emit(found)
    else:
        write_why(invocation.screen, found)


def write_why(screen: Screen, found: WhyView) -> None:
    """Write the recorded reason, and what differs from the task that it is compared with."""
    sign, style = wording.symbol_of(found.status)
    state = screen.paint(f"{sign} {found.status}", style)
    screen.line(f"{screen.paint(clean(found.task), 'bold')}  {state}  in {found.run}")
    screen.line(f"  {clean(found.reason or _unsaid(found))}")
    if found.children:
        screen.line(f"  its tasks: {wording.tally(found.children)}")
    for task in found.because:
        reason = task.error.message if task.error else task.reason or ""
        screen.line(f"  {clean(f'{task.path} is {task.status}: {reason}'.rstrip(': '))}")
    if found.differences:
        screen.line(f"\ncompared with {clean(found.compared or '')}")
        for text in found.differences:
            screen.line(f"  {screen.paint('~', 'yellow')} {clean(text)}")
    elif found.compared:
        screen.line(f"\nnothing differs from {clean(found.compared)}")
    if found.inputs:
        screen.line("\ninputs")
        rows = [[Cell(name), Cell(text, "dim")] for name, (_, text) in found.inputs.items()]
        screen.table(rows, indent=2)


def _unsaid(found: WhyView) -> str:
    return {
        "pending": "it waits for tasks before it",
        "ready": "it is about to start",
        "open": "its tasks are at work",
    }.get(found.status, "no reason was recorded")
