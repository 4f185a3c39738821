"""`mainspring cancel`: stop a run for good."""

from __future__ import annotations

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, given, verb

PATIENCE = 10.0
"""Seconds to wait for a live engine to take the run down."""


@verb()
@choices.run_argument()
@given
def command(invocation: Invocation, run: str) -> int:
    """Stop a run for good.

    Attempts at work are taken away; what has succeeded stays, and can be reused. RUN is an id,
    the beginning of one, or `latest`.
    """
    from mainspring.app.cancel import cancel, wait_until_rest
    from mainspring.app.showing import result_of
    from mainspring.cli.driving import report

    project = invocation.open()
    record = project.store.read.find_run(run)
    cancel(project, record)
    wait_until_rest(project, record.id, PATIENCE)
    report(invocation, result_of(project, record.id, 0))
    return 0
