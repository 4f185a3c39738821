"""`mainspring runs`: list runs, or find some by what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mainspring.cli import choices, wording
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.cli.screen import Cell
from mainspring.records.status import RunStatus

if TYPE_CHECKING:
    from mainspring.app.project import Project
    from mainspring.app.views import RunView
    from mainspring.records.conditions import Field, Search


@verb()
@click.option(
    "--where",
    metavar="CONDITION",
    help='Only runs of which this holds: "metrics.accuracy > 0.9 and params.c < 1".',
)
@click.option(
    "--order-by",
    metavar="NAME[:asc|desc]",
    help="The order: metrics.accuracy:desc (default: newest first).",
)
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
    invocation: Invocation,
    where: str | None,
    order_by: str | None,
    pipeline: str | None,
    status: tuple[str, ...],
    limit: int,
) -> None:
    """List runs, newest first, or those of which a condition holds.

    A condition compares metrics.NAME, params.NAME, tags.NAME, data.NAME, models.NAME, status,
    pipeline, id, note, created, started, ended and duration with constants or with each other;
    `and`, `or`, `not`, `in [...]`, `is None` and contains(NAME, 'text') are known.
    """
    from mainspring.app.listing import find_runs, list_runs, make_search
    from mainspring.records.stores import RunFilter

    want = RunFilter(
        pipeline=pipeline, status=tuple(RunStatus(name) for name in status), limit=limit
    )
    columns: Sequence[Field] = ()
    search: Search | None = None
    if where is not None or order_by is not None:
        from mainspring.records.conditions import fields_of

        search = make_search(where, order_by, want)
        columns = [field for field in fields_of(search) if field.root == "facts"]
    project = invocation.open()
    found = list_runs(project, want) if search is None else find_runs(project, search)
    if invocation.json:
        invocation.emit(found)
    elif found.runs:
        invocation.screen.table(_rows(found.runs, columns))
    else:
        filtered = where or pipeline or status
        what = "no such runs" if filtered else "no runs yet: `mainspring run` starts one"
        invocation.errors.line(what)
        if search is not None:
            _advise(invocation, project, search)


def _advise(invocation: Invocation, project: Project, search: Search) -> None:
    """Say which names of a search that found nothing may be misspelt."""
    from mainspring.app.listing import near_names

    for name, near in near_names(project, search).items():
        said = f"none of the last runs has `{name}`; did you mean `{near}`?"
        invocation.errors.line(f"  hint: {said}")


def _rows(runs: Sequence[RunView], fields: Sequence[Field]) -> list[list[Cell]]:
    checked = any(run.verified for run in runs)
    head = ["RUN", "PIPELINE", "STATUS", "STARTED", "TOOK", *(field.name for field in fields)]
    tags, notes = any(run.tags for run in runs), any(run.note for run in runs)
    head += ["VERIFIED"] * checked + ["TAGS"] * tags + ["NOTE"] * notes + ["PARAMETERS"]
    rows = [[Cell(text, "bold") for text in head]]
    for run in runs:
        row = [*_row(run), *(Cell(wording.fact(run, field.name)) for field in fields)]
        row += [_verified(run)] * checked
        row += [Cell(wording.tags(run.tags), "cyan")] * tags
        row += [Cell(wording.first_line(run.note or ""))] * notes
        rows.append([*row, Cell(wording.settings(run.parameters), "dim")])
    return rows


def _verified(run: RunView) -> Cell:
    if run.verified is None:
        return Cell("")
    sign, style = wording.VERDICTS[run.verified]
    return Cell(f"{sign} {run.verified.value}", style)


def _row(run: RunView) -> list[Cell]:
    sign, style = wording.symbol_of(wording.run_status(run))
    return [
        Cell(run.id),
        Cell(run.pipeline),
        Cell(f"{sign} {wording.run_status(run)}", style),
        Cell(wording.clock(run.created)),
        Cell(wording.duration(run.seconds)),
    ]
