"""`mainspring doctor`: check Python, the machine and the project's store."""

from __future__ import annotations

import click

from mainspring.cli import choices
from mainspring.cli.interrupts import sigterm_as_interrupt
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.cli.screen import Cell

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@verb()
@click.argument("check", required=False, type=click.Choice(["determinism"]))
@click.argument("run", default="latest", shell_complete=choices.complete_run)
@click.option("--deep", is_flag=True, help="Read every blob and compare its digest.")
@click.option(
    "--migrate", is_flag=True, help="Bring a store of an older format up to date (a copy is kept)."
)
@given
def command(
    invocation: Invocation, check: str | None, run: str, *, deep: bool, migrate: bool
) -> int:
    """Check Python, the machine and the project's store; status 1 if something fails.

    `determinism` executes every step of a RUN (default: latest) three times: as usual; shuffled,
    with other string hashes; with one thread. Status 1 if bytes differ, and the causes.
    """
    if check is not None:
        return _determinism(invocation, run)
    from mainspring.app.doctor import examine

    found = examine(lambda: invocation.open(migrate=migrate), deep=deep)
    if invocation.json:
        invocation.emit(found)
        return int(found.status == "fail")
    screen = invocation.screen
    for one in found.checks:
        screen.table([[Cell(f"{one.status:<4}", STYLES[one.status]), f"{one.name:<10}", one.text]])
        if one.hint:
            screen.line(f"                  {screen.paint('hint:', 'bold')} {one.hint}")
    return int(found.status == "fail")


def _determinism(invocation: Invocation, run: str) -> int:
    from mainspring.app.determinism import check_determinism
    from mainspring.app.occupancy import in_use
    from mainspring.cli.verdict_page import write_determinism

    def say(text: str) -> None:
        if not invocation.json:
            invocation.errors.line(invocation.errors.paint(text, "dim"))

    project = invocation.open()
    with in_use(project.home), sigterm_as_interrupt():
        record = project.store.read.find_run(run)
        found = check_determinism(project, record, times=3, say=say)
    if invocation.json:
        invocation.emit(found)
    else:
        write_determinism(invocation.screen, found)
    return int(bool(found.steps))
