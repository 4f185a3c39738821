"""`mainspring models`: import pre-trained models, list them, and move their aliases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli import choices, wording
from mainspring.cli.invocation import Invocation, Verb, given, global_options
from mainspring.cli.screen import Cell, Screen, clean

if TYPE_CHECKING:
    from mainspring.app.model_views import ModelHistoryView, ModelsView, ModelView


@click.group(params=global_options())
def command() -> None:
    """Import pre-trained models, and point aliases at their versions."""


@command.command("import", cls=Verb)
@click.argument("name", shell_complete=choices.complete_model)
@click.argument("source", metavar="PATH|URL|oci://REFERENCE")
@click.option("--licence", metavar="SPDX", default="", help="Under which licence it is.")
@click.option("--origin", metavar="TEXT", default="", help="Where it is from (default: SOURCE).")
@click.option("--digest", metavar="sha256:…|blake3:…", default="", help="What it has to be.")
@click.option("--signature", type=click.Path(path_type=Path), help="An ed25519 signature.")
@click.option("--key", type=click.Path(path_type=Path), help="The public key (PEM) of the signer.")
@click.option("--alias", default="", help="Point this alias at the version.")
@click.option("--allow-pickle", is_flag=True, help="Take pickles too, and mark the version.")
@given
def import_(
    invocation: Invocation,
    name: str,
    source: str,
    *,
    licence: str,
    origin: str,
    digest: str,
    signature: Path | None,
    key: Path | None,
    alias: str,
    allow_pickle: bool,
) -> None:
    """Import a model as a new version; nothing is ever overwritten.

    From a file or directory, over http(s), or from an OCI registry. What holds a pickle is
    refused, by its content, unless --allow-pickle.
    """
    from mainspring.app.models import Card, import_model
    from mainspring.app.occupancy import in_use

    card = Card(licence, origin, digest, signature, key, alias, allow_pickle)
    project = invocation.open()
    with in_use(project.home):
        found = import_model(project, name, source, card)
    if invocation.json:
        invocation.emit(found)
        return
    model = found.model
    if not found.new:
        invocation.screen.line(f"{_title(model)} has this content already: no new version")
    _write(invocation.screen, model)


@command.command("list", cls=Verb)
@given
def list_(invocation: Invocation) -> None:
    """List the models, each with its newest version."""
    from mainspring.app.models import list_models

    found = list_models(invocation.open())
    if invocation.json:
        invocation.emit(found)
    else:
        _write_list(invocation.screen, found)


@command.command(cls=Verb)
@click.argument("model", metavar="NAME[@VERSION]", shell_complete=choices.complete_model)
@given
def show(invocation: Invocation, model: str) -> None:
    """Show the versions of a model, their cards, and where its aliases have pointed."""
    from mainspring.app.models import show_model

    found = show_model(invocation.open(), model)
    if invocation.json:
        invocation.emit(found)
    else:
        _write_history(invocation.screen, found)


@command.command(cls=Verb)
@click.argument("model", metavar="NAME@VERSION", shell_complete=choices.complete_model)
@click.argument("alias", metavar="ALIAS")
@given
def alias(invocation: Invocation, model: str, alias: str) -> None:
    """Point an alias at a version; where it pointed before stays on record."""
    from mainspring.app.models import set_alias

    found, before = set_alias(invocation.open(), model, alias)
    if invocation.json:
        invocation.emit(found)
        return
    now = found.aliases[alias]
    told = "as before" if before == now else f"before: {before}" if before else "new"
    invocation.screen.line(f"{alias} → {now}  ({told})")


def _title(model: ModelView) -> str:
    return clean(f"{model.model}@{model.version}")


def _write(screen: Screen, model: ModelView) -> None:
    """Write a version's card."""
    screen.line(screen.paint(_title(model), "bold"))
    signed = f"ed25519, key {model.signature.fingerprint[:16]}…" if model.signature else ""
    facts = {
        "content": f"{wording.plural(model.files, 'file')}, {wording.size(model.size)}",
        "digest": model.digest,
        "checked": ", ".join(model.digests),
        "licence": model.licence or "not said",
        "origin": model.origin,
        "signed": signed,
        "pickles": "" if model.data_only else "yes: reading it may run code",
        "imported": f"{wording.clock(model.created)} ({wording.ago(model.created)})",
        "aliases": ", ".join(model.aliases),
    }
    screen.table(
        [[Cell(name, "dim"), clean(text)] for name, text in facts.items() if text], indent=2
    )


def _write_list(screen: Screen, found: ModelsView) -> None:
    if not found.models:
        screen.line("there are no models yet: `mainspring models import NAME PATH`")
        return
    rows: list[list[Cell | str]] = [
        [Cell(word, "dim") for word in ("MODEL", "VERSIONS", "SIZE", "LICENCE", "ALIASES OF IT")]
    ]
    for model in found.models:
        count = str(found.counts[model.model])
        aliases = ", ".join(model.aliases)
        rows.append(
            [_title(model), count, wording.size(model.size), clean(model.licence), clean(aliases)]
        )
    screen.table(rows)


def _write_history(screen: Screen, found: ModelHistoryView) -> None:
    for number, model in enumerate(found.versions):
        if number:
            screen.line()
        _write(screen, model)
    if found.moves:
        screen.line()
        screen.line("aliases")
        rows = [
            [wording.clock(move.at), clean(move.alias), f"→ v{move.number}"] for move in found.moves
        ]
        screen.table(rows, indent=2)
