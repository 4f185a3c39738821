"""`mainspring resume`: go on with a run from where it stopped."""

from __future__ import annotations

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, given, verb


@verb()
@choices.run_argument()
@choices.quiet_option
@given
def command(invocation: Invocation, run: str, quiet: bool) -> int:
    """Go on with a run that was interrupted, paused, cancelled or failed.

    What has succeeded stays; failed tasks, and what they blocked, run again. RUN is an id, the
    beginning of one, or `latest`.
    """
    from mainspring.app.occupancy import in_use
    from mainspring.app.running import reopen
    from mainspring.cli.driving import drive_run
    from mainspring.records.errors import ConflictError

    project = invocation.open()
    with in_use(project.home):
        record = project.store.read.find_run(run)
        if project.is_driven(record.id):
            hint = f"`mainspring show {record.id}` says how far it is"
            raise ConflictError(f"run {record.id} is at work already", hint=hint)
        project.materialise(record.snapshot)
        reopen(project, record)
        return drive_run(invocation, project, record.id, project.executor(), quiet=quiet)
