"""`mainspring export`: a run as one file for others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import choices, wording
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.records.errors import MainspringError

if TYPE_CHECKING:
    from mainspring.app.capsule.views import ExportView

LISTED = 10
"""Values that were left out, named one by one."""


@verb()
@choices.run_argument(required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Where to write (default: RUN.crate.zip here).",
)
@click.option("--key", metavar="NAME", help="The key to sign with (default: your only one).")
@click.option("--unsigned", is_flag=True, help="Sign with no key: nobody vouches for it then.")
@click.option(
    "--without-values",
    is_flag=True,
    help="Leave out values of more than 1 MB; their digests stay, so that a rerun can be checked.",
)
@click.option(
    "--data",
    type=click.Choice(["copy", "link"]),
    default="copy",
    show_default=True,
    help="Whether datasets and models that the pipeline names are in it, or only their digests.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@given
def command(
    invocation: Invocation,
    run: str,
    *,
    output: Path | None,
    key: str | None,
    unsigned: bool,
    without_values: bool,
    data: str,
    force: bool,
) -> None:
    """Write a run as a capsule: one file to check, read, import elsewhere and run again.

    It has the source, the pipeline, parameters, seed, metrics, results, checkpoints, a model card
    and signed provenance, as a Workflow Run RO-Crate. RUN is an id, the beginning of one, or
    `latest`.
    """
    from mainspring.app.capsule.writing import export
    from mainspring.app.occupancy import in_use

    signer = _signer(key, unsigned=unsigned)
    project = invocation.open()
    record = project.store.read.find_run(run)
    target = output or Path(f"{record.id}.crate.zip")
    with in_use(project.home):
        view = export(
            project,
            record,
            target,
            key=signer,
            values=not without_values,
            data=data == "copy",
            force=force,
        )
    if invocation.json:
        invocation.emit(view)
    else:
        _tell(invocation, view)


def _signer(name: str | None, *, unsigned: bool) -> Any:
    if unsigned:
        if name is not None:
            raise MainspringError("--key and --unsigned exclude each other")
        return None
    from mainspring.storage.keyring import Keyring

    ring = Keyring()
    chosen = name or ring.default()
    if chosen is None:
        raise MainspringError(
            "you have no key to sign with",
            hint="`mainspring keys new` makes one; with --unsigned nobody vouches for the capsule, "
            "and who imports it has to allow that",
        )
    return ring.own(chosen)


def _tell(invocation: Invocation, view: ExportView) -> None:
    by = f"signed with {view.signer}" if view.signer else "not signed"
    files = wording.plural(view.files, "file")
    invocation.screen.line(f"{view.path}: run {view.run}, {files}, {wording.size(view.size)}, {by}")
    for found in view.left_out[:LISTED]:
        invocation.errors.line(
            f"left out: {found.digest[:23]}… ({wording.size(found.size)}): {found.why}"
        )
    if len(view.left_out) > LISTED:
        invocation.errors.line(f"left out: {len(view.left_out) - LISTED} more values")
