"""`mainspring show`: a run or one of its tasks."""

from __future__ import annotations

import click

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, given, verb

CHILDREN_SHOWN = 20


@verb()
@choices.run_argument(required=False)
@choices.task_argument
@click.option("--graph", is_flag=True, help="Draw which task waits for which.")
@click.option(
    "--first",
    type=click.IntRange(min=0),
    metavar="INDEX",
    help="With a map: list its elements from this one on (default: failed ones, then the first).",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="With a map or repeat: list so many (default: 20, and 1000 with --json).",
)
@given
def command(
    invocation: Invocation,
    run: str,
    task: str | None,
    graph: bool,
    first: int | None,
    limit: int | None,
) -> None:
    """Show a run: tasks, checkpoints, metrics, artifacts and errors; or one of its tasks.

    RUN is an id, the beginning of one, or `latest`, which is the default. TASK is a path such as
    `train`, `train[3]` or `tune#2/train`. In the graph, a double line leads from a checkpoint to
    what it guards.
    """
    from mainspring.app.showing import MOST, run_detail, task_detail

    project = invocation.open()
    record = project.store.read.find_run(run)
    if task is not None:
        if graph:
            raise click.UsageError("--graph draws a whole run: leave TASK out")
        most = limit or (MOST if invocation.json else CHILDREN_SHOWN)
        found = task_detail(project, record, task, first=first, limit=most)
        if invocation.json:
            invocation.emit(found)
            return
        from mainspring.cli.task_page import write_task

        write_task(invocation.screen, found)
        return
    if first is not None or limit is not None:
        raise click.UsageError("--first and --limit are for the elements of a map: name its TASK")
    detail = run_detail(project, record)
    if invocation.json:
        invocation.emit(detail)
    elif graph:
        from mainspring.cli.graph import draw

        draw(invocation.screen, detail)
    else:
        from mainspring.cli.run_page import write_run

        write_run(invocation.screen, detail)
