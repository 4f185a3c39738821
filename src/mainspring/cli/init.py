"""`mainspring init`: make a project."""

from __future__ import annotations

from pathlib import Path

import click

from mainspring.cli.invocation import Invocation, given, verb


@verb()
@click.argument(
    "directory", required=False, default=None, type=click.Path(path_type=Path, file_okay=False)
)
@given
def command(invocation: Invocation, directory: Path | None) -> None:
    """Make a project in DIRECTORY (default: here): settings, and a pipeline that runs at once."""
    from mainspring.app.init import init_project

    target = directory or invocation.directory or Path()
    written = init_project(target)
    if invocation.json:
        from mainspring.app.views import WrittenView

        invocation.emit(WrittenView(paths=[str(path) for path in written]))
        return
    for path in written:
        invocation.screen.line(f"wrote {path}")
    where = "" if target.resolve() == Path.cwd() else f"-C {target} "
    invocation.screen.line(f"\nnow try: mainspring {where}run")
