"""`mainspring tag`: put tags on a run, or take them away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.cli.screen import Cell, Screen, clean_block

if TYPE_CHECKING:
    from mainspring.app.annotations import AnnotationsView


@verb()
@choices.run_argument()
@click.argument("tags", metavar="[NAME[=VALUE]]...", nargs=-1)
@click.option("--remove", metavar="NAME", multiple=True, help="Take a tag away; any number.")
@given
def command(
    invocation: Invocation, run: str, tags: tuple[str, ...], remove: tuple[str, ...]
) -> None:
    """Put tags on a run, take them away, or list them.

    `mainspring runs --where "tags.best"` and `--where "tags.owner == 'ana'"` find them.
    """
    from mainspring.app.annotations import annotations_of, tag

    project = invocation.open()
    record = project.store.read.find_run(run)
    pairs: dict[str, str] = {}
    for text in tags:
        name, _, value = text.partition("=")
        pairs[name] = value
    both = sorted(set(pairs) & set(remove))
    if both:
        raise click.UsageError(f"the tag {both[0]!r} is both set and removed")
    found = annotations_of(project, record)
    if pairs or remove:
        found = tag(project, record, pairs, remove)
    tell(invocation, found)


def tell(invocation: Invocation, found: AnnotationsView) -> None:
    """Write a run's tags and note, or print them as JSON."""
    if invocation.json:
        invocation.emit(found)
    else:
        write_annotations(invocation.screen, found)


def write_annotations(screen: Screen, found: AnnotationsView) -> None:
    """Write a run's tags and note."""
    screen.line(f"run {screen.paint(found.run, 'bold')}")
    screen.table([[Cell(name, "cyan"), value] for name, value in found.tags.items()], indent=2)
    for line in clean_block(found.note or "").splitlines():
        screen.line(f"  {line}")
    if not found.tags and not found.note:
        screen.line("  no tags and no note")
