"""`mainspring doctor`: check Python, the machine and the project's store."""

from __future__ import annotations

import click

from mainspring.cli.invocation import Invocation, given, verb
from mainspring.cli.screen import Cell

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@verb()
@click.option("--deep", is_flag=True, help="Read every blob and compare its digest.")
@click.option(
    "--migrate", is_flag=True, help="Bring a store of an older format up to date (a copy is kept)."
)
@given
def command(invocation: Invocation, deep: bool, migrate: bool) -> int:
    """Check Python, the machine and the project's store; status 1 if something fails."""
    from mainspring.app.doctor import examine

    found = examine(lambda: invocation.open(migrate=migrate), deep=deep)
    if invocation.json:
        invocation.emit(found)
        return int(found.status == "fail")
    screen = invocation.screen
    for check in found.checks:
        screen.table(
            [[Cell(f"{check.status:<4}", STYLES[check.status]), f"{check.name:<10}", check.text]]
        )
        if check.hint:
            screen.line(f"                  {screen.paint('hint:', 'bold')} {check.hint}")
    return int(found.status == "fail")
