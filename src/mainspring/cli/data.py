"""`mainspring data`: versions of datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, Verb, given, global_options

if TYPE_CHECKING:
    from mainspring.records.datasets import DatasetVersion


@click.group(params=global_options())
def command() -> None:
    """Keep versions of datasets, look at them, compare them and get them back.

    A version is written NAME@v2; NAME alone is the newest one. Instead of v2 the beginning of a
    digest will do.
    """


@command.command(cls=Verb)
@click.argument("name", shell_complete=choices.complete_dataset)
@click.argument("place", metavar="PATH")
@click.option("--link", is_flag=True, help="Let the files themselves be the stored ones.")
@click.option("--reference", is_flag=True, help="Leave the data where it is; store digests only.")
@click.option("--exclude", metavar="GLOB", multiple=True, help="Leave these files out.")
@click.option("-m", "--message", metavar="TEXT", default="", help="What is said of the version.")
@given
def add(
    invocation: Invocation,
    name: str,
    place: str,
    *,
    link: bool,
    reference: bool,
    exclude: tuple[str, ...],
    message: str,
) -> None:
    """Make what PATH holds now a version of NAME, unless the newest one has that content."""
    from mainspring.app.data.adding import Wanted, add_path
    from mainspring.cli import data_pages
    from mainspring.records.errors import MainspringError

    if link and reference:
        raise MainspringError("--link and --reference exclude each other")
    keep = "link" if link else "reference" if reference else "copy"
    wanted = Wanted(name=name, keep=keep, exclude=exclude, message=message)
    progress = data_pages.Progress(invocation.errors)
    try:
        added = add_path(invocation.open(), wanted, Path(place), progress=progress)
    finally:
        progress.end()
    data_pages.added(invocation, added)


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
    """Protect a version from being forgotten."""
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
