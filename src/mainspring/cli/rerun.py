"""`mainspring rerun`: a new run of a recorded one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from mainspring.cli import choices, wording
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.cli.screen import Cell
from mainspring.records.errors import ParameterError

if TYPE_CHECKING:
    from mainspring.app.planning import Planned
    from mainspring.app.project import Project
    from mainspring.records.runs import Run


class _Changes(NamedTuple):
    """In what the new run is to differ."""

    parameters: dict[str, str]
    wanted: dict[str, str]
    seed: int | None
    start_from: str | None


@verb()
@choices.run_argument()
@click.option(
    "--from",
    "start_from",
    metavar="TASK",
    shell_complete=choices.complete_task,
    help="Run this task, and all that depends on it, again.",
)
@click.option(
    "--code",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Take the source as it is now, in the project's directory (`.`), not as recorded.",
)
@choices.changed_parameter_option
@choices.version_options
@choices.seed_option
@choices.quiet_option
@given
def command(
    invocation: Invocation,
    run: str,
    start_from: str | None,
    *,
    code: Path | None,
    parameters: dict[str, str],
    wanted: dict[str, str],
    seed: int | None,
    quiet: bool,
) -> int:
    """Run a recorded run again: its source, parameters, data and seed, with changes if wanted.

    It is a new run, from the source and the versions of datasets and models that were recorded
    then; the project's files as they are now play no part, unless --code . says so. RUN is an id,
    the beginning of one, or `latest`. At the end it says in what the new run differs.
    """
    from mainspring.app.occupancy import in_use
    from mainspring.app.rerun import rerun
    from mainspring.cli.driving import drive_run
    from mainspring.cli.run import begin

    project = invocation.open()
    with in_use(project.home):
        record = project.store.read.find_run(run)
        changes = _Changes(parameters, wanted, seed, start_from)
        planned = (
            rerun(project, record, **changes._asdict())
            if code is None
            else _planned_from(project, code, record, changes)
        )
        made, executor = begin(project, planned, parent=record.id)
        status = drive_run(invocation, project, made, executor, quiet=quiet)
    if not invocation.json:
        _write_differences(invocation, project, record, made)
    return status


def _planned_from(project: Project, code: Path, record: Run, changes: _Changes) -> Planned:
    """The plan of the run with the source as it is now."""
    from mainspring.cli.planned import plan_now

    _check_directory(project, code)
    return plan_now(
        project,
        record.pipeline,
        {**record.parameters, **changes.parameters},
        seed=record.seed if changes.seed is None else changes.seed,
        wanted=changes.wanted,
        again=record,
        start_from=changes.start_from,
    )


def _check_directory(project: Project, code: Path) -> None:
    """Raise ParameterError unless it is the project's directory: there is no other source."""
    if not code.is_dir() or not code.resolve().samefile(project.root):
        raise ParameterError(
            f"--code takes the project's directory, not {str(code)!r}",
            hint="write `--code .` in the project, and name another project with --project",
        )


def _write_differences(invocation: Invocation, project: Project, before: Run, made: str) -> None:
    """Say, in a few lines, in what the new run differs from the one it is made of."""
    from mainspring.app.diff import compare

    found = compare(project, before, project.store.read.run(made))
    rows = {
        "parameters": [change.name for change in found.parameters],
        "source": [file.path for file in found.source],
        "environment": [change.name for change in found.environment],
        "artifacts": [f"{one.task}.{one.output}" for one in found.artifacts],
    }
    screen = invocation.screen
    if not any(rows.values()):
        screen.line(f"  nothing differs from {before.id}")
        return
    screen.line(f"  differs from {before.id} in")
    told = [[Cell(what, "dim"), wording.few(names)] for what, names in rows.items() if names]
    screen.table(told, indent=4)
    screen.line(f"  mainspring diff {before.id} {made}")
