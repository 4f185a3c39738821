"""`mainspring note`: write something about a run."""

from __future__ import annotations

import sys

import click

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.cli.tag import tell
from mainspring.records.errors import ParameterError


@verb()
@choices.run_argument()
@click.argument("text", required=False)
@click.option("--append", is_flag=True, help="Add it below what is there.")
@given
def command(invocation: Invocation, run: str, text: str | None, append: bool) -> None:
    """Write a note about a run, or print the one that is there.

    TEXT `-` is read from standard input; an empty one takes the note away.
    """
    from mainspring.app.annotations import LONGEST_NOTE, annotations_of, note

    project = invocation.open()
    record = project.store.read.find_run(run)
    if text is None:
        if append:
            raise click.UsageError("--append needs a text")
        tell(invocation, annotations_of(project, record))
        return
    if text == "-":
        text = _standard_input(LONGEST_NOTE)
    tell(invocation, note(project, record, text, append=append))


def _standard_input(longest: int) -> str:
    data = sys.stdin.buffer.read(4 * longest + 1)
    try:
        return data.decode().rstrip("\n")
    except UnicodeDecodeError:
        raise ParameterError("standard input is not UTF-8 text, or far too long") from None
