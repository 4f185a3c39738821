"""`mainspring run`: run a pipeline from the source as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, given, verb

if TYPE_CHECKING:
    from mainspring.app.planning import Planned
    from mainspring.app.project import Project


@verb()
@choices.pipeline_argument
@choices.parameter_option
@choices.version_options
@choices.seed_option
@choices.force_option
@choices.quiet_option
@click.option("--queue", is_flag=True, help="Only put the run on record; engines work on it.")
@given
def command(
    invocation: Invocation,
    pipeline: str | None,
    *,
    parameters: dict[str, str],
    wanted: dict[str, str],
    seed: int | None,
    force: tuple[str, ...],
    quiet: bool,
    queue: bool,
) -> int:
    """Run a pipeline; what nothing has changed is reused.

    PIPELINE is a name that mainspring.toml lists (default: the first), module:name, or a YAML
    file. Ctrl-C stops cleanly: `mainspring resume` goes on from there. With --queue the run is left
    to `mainspring engine`, here or on another machine.
    """
    from mainspring.app.occupancy import in_use
    from mainspring.cli.planned import plan_now

    project = invocation.open()
    with in_use(project.home):
        planned = plan_now(project, pipeline, parameters, seed=seed, force=force, wanted=wanted)
        if queue:
            return _put_on_record(invocation, project, planned)
        return start(invocation, project, planned, quiet=quiet)


def _put_on_record(invocation: Invocation, project: Project, planned: Planned) -> int:
    """Leave the run to engines, which may have more than this machine; print its id."""
    from mainspring.app.running import create_run
    from mainspring.app.showing import result_of

    run = create_run(project, planned)
    if invocation.json:
        invocation.emit(result_of(project, run.id, 0))
    else:
        invocation.screen.line(run.id)
    return 0


def start(
    invocation: Invocation,
    project: Project,
    planned: Planned,
    *,
    parent: str | None = None,
    quiet: bool = False,
) -> int:
    """Put a plan on record as a run and drive it; return the exit status."""
    from mainspring.cli.driving import drive_run

    run, executor = begin(project, planned, parent=parent)
    return drive_run(invocation, project, run, executor, quiet=quiet)


def begin(project: Project, planned: Planned, *, parent: str | None = None) -> tuple[str, Any]:
    """Put a plan on record as a run; return its id, and an executor that is starting up."""
    from mainspring.app.running import check_resources, create_run, warm_up

    if planned.needs_workers:
        check_resources(project, planned.spec)
    executor = warm_up(project, planned)
    try:
        return create_run(project, planned, parent=parent).id, executor
    except BaseException:
        executor.close()
        raise
