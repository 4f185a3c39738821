"""`mainspring import`: a run from a capsule, once it is checked to the last byte."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli import wording
from mainspring.cli.invocation import Invocation, given, verb

if TYPE_CHECKING:
    from mainspring.app.capsule.views import ImportView


@verb()
@click.argument("capsule", type=click.Path(path_type=Path))
@click.option(
    "--trust",
    metavar="KEYID",
    multiple=True,
    help="Take it if it is signed by this key; may be given many times.",
)
@click.option("--allow-unsigned", is_flag=True, help="Take it though nobody has signed it.")
@click.option(
    "--allow-pickle",
    is_flag=True,
    help="Take values that run code of whoever made them, when a step loads them.",
)
@given
def command(
    invocation: Invocation,
    capsule: Path,
    *,
    trust: tuple[str, ...],
    allow_unsigned: bool,
    allow_pickle: bool,
) -> None:
    """Put the run of a CAPSULE on record here, after checking every digest and its signature.

    Nothing of it is run or unpickled. It keeps its id and says where it came from; `show`, `diff`,
    `artifacts` and `rerun` work as with any run. Your own keys and those of `keys trust` are
    trusted. One that is here already is left alone.
    """
    from mainspring.app.capsule.importing import take
    from mainspring.app.capsule.opening import Trust
    from mainspring.app.occupancy import in_use

    project = invocation.open()
    wanted = Trust(keys=trust, unsigned=allow_unsigned, pickle=allow_pickle)
    with in_use(project.home):
        view = take(project, capsule, wanted)
    if invocation.json:
        invocation.emit(view)
    else:
        _tell(invocation, view)


def _tell(invocation: Invocation, view: ImportView) -> None:
    screen = invocation.screen
    if view.present:
        more = f"; {wording.plural(view.values, 'value')} of it were missing" if view.values else ""
        screen.line(f"run {view.run} is here already: nothing was recorded{more}")
        return
    by = f"signed by {view.signer_name or view.signer}" if view.signer else "signed by nobody"
    screen.line(
        f"imported run {view.run} of {view.pipeline}: {view.status}, "
        f"{wording.plural(view.tasks, 'task')}, {wording.plural(view.values, 'new value')}, {by}"
    )
    if view.pickles:
        screen.line(f"  it has values that run code when loaded: {', '.join(view.pickles)}")
    if view.left_out:
        left = wording.plural(len(view.left_out), "value")
        screen.line(f"  the capsule left out {left}: a rerun makes them again")
    if not view.signer:
        screen.line("  its results are not reused here, since nobody vouches for them")
    screen.line(f"  mainspring show {view.run}")
