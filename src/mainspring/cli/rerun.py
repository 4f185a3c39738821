"""`mainspring rerun`: a new run of a recorded one."""

from __future__ import annotations

import click

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, given, verb


@verb()
@choices.run_argument()
@click.option(
    "--from",
    "start_from",
    metavar="TASK",
    shell_complete=choices.complete_task,
    help="Run this task, and all that depends on it, again.",
)
@choices.parameter_option
@choices.version_options
@choices.seed_option
@choices.quiet_option
@given
def command(
    invocation: Invocation,
    run: str,
    start_from: str | None,
    *,
    parameters: dict[str, str],
    wanted: dict[str, str],
    seed: int | None,
    quiet: bool,
) -> int:
    """Run a recorded run again: its source, parameters, data and seed, with changes if wanted.

    It is a new run, from the source and the versions of datasets and models that were recorded
    then; the project's files as they are now play no part. RUN is an id, the beginning of one, or
    `latest`.
    """
    from mainspring.app.occupancy import in_use
    from mainspring.app.rerun import rerun
    from mainspring.cli.run import start

    project = invocation.open()
    with in_use(project.home):
        record = project.store.read.find_run(run)
        planned = rerun(
            project,
            record,
            parameters=parameters,
            start_from=start_from,
            seed=seed,
            wanted=wanted,
        )
        return start(invocation, project, planned, parent=record.id, quiet=quiet)
