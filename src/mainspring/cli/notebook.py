"""`mainspring notebook`: run one notebook, with parameters, as a pipeline of one step."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, given, verb


@verb()
@click.argument("path", type=click.Path(path_type=Path))
@choices.parameter_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write the executed notebook to a file."
)
@choices.seed_option
@click.option("--force", is_flag=True, help="Execute it even if nothing changed.")
@choices.quiet_option
@given
def command(
    invocation: Invocation,
    path: Path,
    *,
    parameters: dict[str, str],
    output: Path | None,
    seed: int | None,
    force: bool,
    quiet: bool,
) -> int:
    """Execute a notebook of the project with parameters; if nothing changed, reuse its result.

    PATH is the notebook's file. Its parameters are the assignments of the cell tagged `parameters`.
    The file is not changed: -o writes a copy with the outputs (up to the cell that failed, if one
    did).
    """
    from mainspring.app.notebooks import check_target, plan_notebook, write_executed
    from mainspring.app.occupancy import in_use
    from mainspring.cli.driving import drive_run
    from mainspring.cli.run import begin

    if invocation.directory is None and path.parent != Path("."):
        invocation.directory = _folder(path)
    project = invocation.open()
    if output is not None:
        check_target(path, output)
    with in_use(project.home):
        planned = plan_notebook(project, path, parameters, seed=seed, force=force)
        run, executor = begin(project, planned)
        code = drive_run(invocation, project, run, executor, quiet=quiet)
        if output is not None:
            write_executed(project, run, output)
    return code


def _folder(path: Path) -> Path:
    """The directory that a notebook lies in, if that is there: its project is looked for above."""
    return Path(os.path.abspath(path)).parent
