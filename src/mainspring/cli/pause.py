"""`mainspring pause`: let the tasks at work end, and start no more."""

from __future__ import annotations

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, given, verb


@verb()
@choices.run_argument()
@given
def command(invocation: Invocation, run: str) -> int:
    """Let the tasks at work end, and start no more.

    `mainspring resume` goes on. RUN is an id, the beginning of one, or
    `latest`.
    """
    from mainspring.app.cancel import pause
    from mainspring.app.showing import result_of
    from mainspring.cli.driving import report

    project = invocation.open()
    record = project.store.read.find_run(run)
    pause(project, record)
    report(invocation, result_of(project, record.id, 0))
    return 0
