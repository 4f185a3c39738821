"""`mainspring store`: check, migrate and copy a project's records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli import wording
from mainspring.cli.invocation import Invocation, Verb, given, global_options

if TYPE_CHECKING:
    from mainspring.app.views import StoreView


@click.group(params=global_options())
def command() -> None:
    """Check, migrate and copy a project's records."""


@command.command(cls=Verb)
@given
def check(invocation: Invocation) -> int:
    """Check that the records are whole and agree; status 1 if not."""
    from mainspring.app.store import check

    return _tell(invocation, check(_root(invocation)))


@command.command(cls=Verb)
@given
def migrate(invocation: Invocation) -> int:
    """Bring a store of an older format up to date, and check it."""
    from mainspring.app.store import check

    return _tell(invocation, check(_root(invocation), migrate=True))


@command.command(cls=Verb)
@click.option("--from", "source", metavar="PLACE", help="The store to read (default: this one).")
@click.option("--to", "target", metavar="PLACE", required=True, help="The store to fill.")
@given
def copy(invocation: Invocation, source: str | None, target: str) -> int:
    """Copy all records to a new file or database; a PLACE is a path or a postgresql:// URL."""
    from mainspring import settings
    from mainspring.app.store import copy

    if source is None:
        root = _root(invocation)
        chosen = settings.storage_of(settings.load(root))
        source = chosen.store or str(settings.home_of(root) / "store.db")
    return _tell(invocation, copy(source, target))


@command.command(cls=Verb)
@given
def claim(invocation: Invocation) -> int:
    """Take over the values in the bucket, when they are marked as another store's."""
    from mainspring.app.values import claim

    view = claim(_root(invocation))
    if invocation.json:
        invocation.emit(view)
    else:
        invocation.screen.line(f"the values in {view.place} belong to this project's store now")
    return 0


@command.command("copy-values", cls=Verb)
@click.option("--to", "target", metavar="PLACE", required=True, help="The bucket or directory.")
@given
def copy_values(invocation: Invocation, target: str) -> int:
    """Copy all values to a bucket (s3://, gs://, az://) or a directory; goes on if interrupted."""
    from mainspring.app.values import copy

    view = copy(_root(invocation), target)
    if invocation.json:
        invocation.emit(view)
    else:
        screen = invocation.screen
        screen.line(
            f"copied {view.copied:,} values ({view.size:,} bytes) to {view.place}; "
            f"{view.present:,} were there before"
        )
    return 0


def _root(invocation: Invocation) -> Path:
    from mainspring import settings

    return settings.find_root(invocation.directory or Path.cwd())


def _tell(invocation: Invocation, view: StoreView) -> int:
    if invocation.json:
        invocation.emit(view)
    else:
        screen = invocation.screen
        for fault in view.faults:
            screen.line(f"{screen.paint('fault:', 'bold red')} {fault}")
        if view.rows:
            rows = sum(view.rows.values())
            runs = wording.plural(view.rows["runs"], "run")
            screen.line(f"copied {runs} ({rows:,} rows) to {view.place}")
        elif not view.faults:
            screen.line(f"{view.place}: format {view.version}, whole, and its records agree")
    return int(bool(view.faults))
