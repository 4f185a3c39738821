"""`mainspring gc`: delete what no run refers to."""

from __future__ import annotations

import re

import click

from mainspring.cli import wording
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.cli.screen import Cell
from mainspring.records.errors import MainspringError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@verb()
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@click.option(
    "--older-than",
    metavar="AGE",
    help="Delete runs too that ended so long ago: 30d, 12h, 4w (default: no runs).",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Keep this many of the newest runs of each pipeline, however old.",
)
@given
def command(invocation: Invocation, dry_run: bool, older_than: str | None, keep: int) -> None:
    """Delete what no run refers to: blobs, old source directories, leftovers of attempts.

    Runs are deleted only with --older-than; one whose results a newer run has reused stays. What
    is less than an hour old stays too. Refused while a run is at work.
    """
    from mainspring.app.gc import Policy, collect

    age = None if older_than is None else _seconds(older_than)
    project = invocation.open()
    found = collect(project, Policy(older_than=age, keep=keep), dry_run=dry_run)
    if invocation.json:
        invocation.emit(found)
        return
    screen = invocation.screen
    screen.table(
        [
            [Cell(item.kind, "dim"), item.name, wording.size(item.size), Cell(item.reason, "dim")]
            for item in found.items
        ]
    )
    if found.cut:
        screen.line(f"… and {found.count - len(found.items):,} more")
    for name in found.left:
        screen.line(f"left {name}: the engine of its container can't be reached")
    what = "deleted" if found.deleted else "would delete"
    screen.line(f"{what} {found.count:,} things, {wording.size(found.size)}")


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if match is None:
        raise MainspringError(f"--older-than takes an age, not {text!r}", hint="for example 30d")
    return float(match[1]) * _UNITS[match[2]]
