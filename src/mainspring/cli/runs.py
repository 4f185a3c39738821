"""`mainspring runs`: list runs, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mainspring.cli import choices, wording
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.cli.screen import Cell
from mainspring.cli.verdict_page import STYLES
from mainspring.records.status import RunStatus

if TYPE_CHECKING:
    from mainspring.app.views import RunView


@verb()
@click.option(
    "--pipeline",
    metavar="NAME",
    shell_complete=choices.complete_pipeline,
    help="Only runs of this pipeline.",
)
@click.option(
    "--status",
    type=click.Choice([status.value for status in RunStatus]),
    multiple=True,
    help="Only runs in this state; may be given many times.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1, max=2**31),
    default=20,
    show_default=True,
    help="How many runs at most.",
)
@given
def command(
    invocation: Invocation, pipeline: str | None, status: tuple[str, ...], limit: int
) -> None:
    """List runs, newest first."""
    from mainspring.app.listing import list_runs
    from mainspring.records.stores import RunFilter

    project = invocation.open()
    wanted = tuple(RunStatus(name) for name in status)
    found = list_runs(project, RunFilter(pipeline=pipeline, status=wanted, limit=limit))
    if invocation.json:
        invocation.emit(found)
    elif found.runs:
        invocation.screen.table([_HEAD, *(_row(run) for run in found.runs)])
    else:
        what = "no such runs" if pipeline or status else "no runs yet: `mainspring run` starts one"
        invocation.errors.line(what)


_HEAD = [
    Cell(text, "bold")
    for text in ("RUN", "PIPELINE", "STATUS", "VERIFIED", "STARTED", "TOOK", "PARAMETERS")
]


def _verified(run: RunView) -> Cell:
    if run.verified is None:
        return Cell("")
    sign, style = STYLES[run.verified]
    return Cell(f"{sign} {run.verified.value}", style)


def _row(run: RunView) -> list[Cell]:
    sign, style = wording.symbol_of(wording.run_status(run))
    return [
        Cell(run.id),
        Cell(run.pipeline),
        Cell(f"{sign} {wording.run_status(run)}", style),
        _verified(run),
        Cell(wording.clock(run.created)),
        Cell(wording.duration(run.seconds)),
        Cell(wording.settings(run.parameters), "dim"),
    ]
