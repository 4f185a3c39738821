"""`mainspring data`: versions of datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, Verb, given, global_options

if TYPE_CHECKING:
    from mainspring.app.data.adding import Added, Wanted
    from mainspring.records.datasets import DatasetVersion


@click.group(params=global_options())
def command() -> None:
    """Keep versions of datasets, look at them, compare them and get them back.

    A version is written NAME@v2; NAME alone is the newest one. Instead of v2 the beginning of a
    digest will do.
    """


@command.command(cls=Verb)
@click.argument("name", shell_complete=choices.complete_dataset)
@click.argument("place", metavar="PATH", required=False)
@click.option("--sql", metavar="QUERY", help="Store the answer to a query instead, as Parquet.")
@click.option("--from", "source", metavar="URL", help="The database, or a variable that names it.")
@click.option("--link", is_flag=True, help="Let the files themselves be the stored ones.")
@click.option("--reference", is_flag=True, help="Leave the data where it is; store digests only.")
@click.option("--label", metavar="COLUMN", help="The column that says what a row is.")
@click.option("--no-profile", is_flag=True, help="Look into no file.")
@click.option("--exclude", metavar="GLOB", multiple=True, help="Leave these files out.")
@click.option("-m", "--message", metavar="TEXT", default="", help="What is said of the version.")
@given
def add(
    invocation: Invocation,
    name: str,
    place: str | None,
    *,
    sql: str | None,
    source: str | None,
    label: str | None,
    no_profile: bool,
    link: bool,
    reference: bool,
    exclude: tuple[str, ...],
    message: str,
) -> None:
    """Make what PATH holds now a version of NAME, unless the newest one has that content."""
    from mainspring.app.data.adding import Wanted
    from mainspring.cli import data_pages
    from mainspring.records.errors import MainspringError

    if link and reference:
        raise MainspringError("--link and --reference exclude each other")
    keep = "link" if link else "reference" if reference else "copy"
    wanted = Wanted(
        name=name,
        keep=keep,
        exclude=exclude,
        message=message,
        label=label,
        profile=not no_profile,
    )
    if (sql is None) != (source is None) or (sql is None) == (place is None):
        raise MainspringError("give either a PATH, or --sql and --from")
    data_pages.added(invocation, _added(invocation, wanted, place, sql, source))


def _added(
    invocation: Invocation, wanted: Wanted, place: str | None, sql: str | None, source: str | None
) -> Added:
    from mainspring.app.data.adding import add_path
    from mainspring.cli import data_pages

    project = invocation.open()
    if sql is not None and source is not None:
        from mainspring.app.data.sources import add_query

        return add_query(project, wanted, source, sql)
    progress = data_pages.Progress(invocation.errors)
    try:
        return add_path(project, wanted, Path(place or "."), progress=progress)
    finally:
        progress.end()


@command.command(cls=Verb, name="list")
@given
def list_(invocation: Invocation) -> None:
    """List the datasets, each with its newest version."""
    from mainspring.cli import data_pages

    data_pages.listing(invocation, invocation.open().store.read.datasets())


@command.command(cls=Verb)
@click.argument("name", shell_complete=choices.complete_dataset)
@given
def log(invocation: Invocation, name: str) -> None:
    """List the versions of a dataset, newest first."""
    from mainspring.app.data.versions import history
    from mainspring.cli import data_pages

    data_pages.log(invocation, history(invocation.open(), name))


@command.command(cls=Verb)
@click.argument("name", metavar="NAME[@VERSION]", shell_complete=choices.complete_dataset)
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True,
              help="List so many files.")  # fmt: skip
@given
def show(invocation: Invocation, name: str, limit: int) -> None:
    """Show a version: where it came from, what it holds, and its files."""
    from mainspring.app.data.versions import find_version, show
    from mainspring.cli import data_pages

    project = invocation.open()
    data_pages.version(invocation, show(project, find_version(project, name), limit))


@command.command(cls=Verb)
@click.argument("before", metavar="NAME@VERSION", shell_complete=choices.complete_dataset)
@click.argument("after", metavar="[NAME@]VERSION", shell_complete=choices.complete_dataset)
@given
def diff(invocation: Invocation, before: str, after: str) -> int:
    """Show in what two versions differ: files, columns, labels, rows; status 1 if they do."""
    from mainspring.app.data.diffing import diff
    from mainspring.app.data.versions import find_version
    from mainspring.cli import data_pages

    project = invocation.open()
    if "@" not in after and before.partition("@")[0] != after:
        after = f"{before.partition('@')[0]}@{after}"
    one, two = find_version(project, before), find_version(project, after)
    return data_pages.differences(invocation, diff(project, one, two))


@command.command(cls=Verb)
@click.argument("name", metavar="NAME[@VERSION]", shell_complete=choices.complete_dataset)
@click.argument("target", metavar="PATH", type=click.Path(path_type=Path))
@click.option("--link", is_flag=True, help="Hard links to the stored files, read-only.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@given
def checkout(invocation: Invocation, name: str, target: Path, link: bool, force: bool) -> None:
    """Write the files of a version to PATH, complete or not at all."""
    from mainspring.app.data.checkout import checkout
    from mainspring.app.data.versions import find_version
    from mainspring.app.data.views import CheckoutView, version_view

    project = invocation.open()
    version = find_version(project, name)
    done = checkout(project, version, target, link=link, force=force)
    if invocation.json:
        invocation.emit(CheckoutView(version=version_view(version), place=str(target)))
    else:
        said = f"wrote {version.name} to" if done else f"{version.name} is already in"
        invocation.screen.line(f"{said} {target}")


@command.command(cls=Verb)
@click.argument("name", metavar="NAME[@VERSION]", shell_complete=choices.complete_dataset)
@given
def verify(invocation: Invocation, name: str) -> int:
    """Read every byte of a version again; status 1 if it is not as it was recorded."""
    from mainspring.app.data.verifying import verify
    from mainspring.app.data.versions import find_version
    from mainspring.cli import data_pages

    project = invocation.open()
    return data_pages.checked(invocation, verify(project, find_version(project, name)))


@command.command(cls=Verb)
@click.argument("name", metavar="NAME[@VERSION]", shell_complete=choices.complete_dataset)
@given
def pin(invocation: Invocation, name: str) -> None:
    """Mark a version as one to keep."""
    from mainspring.app.data.versions import pin

    _tell(invocation, pin(invocation.open(), name, pinned=True))


@command.command(cls=Verb)
@click.argument("name", metavar="NAME[@VERSION]", shell_complete=choices.complete_dataset)
@given
def unpin(invocation: Invocation, name: str) -> None:
    """End a version's protection."""
    from mainspring.app.data.versions import pin

    _tell(invocation, pin(invocation.open(), name, pinned=False))


def _tell(invocation: Invocation, version: DatasetVersion) -> None:
    from mainspring.app.data.views import DatasetsView, version_view

    if invocation.json:
        invocation.emit(DatasetsView(versions=[version_view(version)]))
    else:
        said = "is pinned" if version.pinned else "is not pinned"
        invocation.screen.line(f"{version.name} {said}")
