"""`mainspring keys`: keys that capsules are signed with, and whose signatures are trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.invocation import Invocation, Verb, given, global_options
from mainspring.cli.screen import Cell

if TYPE_CHECKING:
    from mainspring.storage.keyring import Known


@click.group(params=global_options())
def command() -> None:
    """Make keys to sign capsules with, and say whose capsules you trust.

    Keys are yours, not a project's: they are in the directory `mainspring` of your configuration
    (~/.config, or XDG_CONFIG_HOME). A private key is never printed.
    """


@command.command(cls=Verb)
@click.argument("name", default="default")
@given
def new(invocation: Invocation, name: str) -> None:
    """Make a key to sign with, named NAME (default: `default`)."""
    from mainspring.storage.keyring import Keyring

    _tell(invocation, Keyring().new(name))


@command.command(cls=Verb, name="list")
@given
def list_(invocation: Invocation) -> None:
    """List your own keys, and those you trust."""
    from mainspring.app.keys import keys_view
    from mainspring.storage.keyring import Keyring

    found = Keyring().known()
    if invocation.json:
        invocation.emit(keys_view(found))
    elif found:
        invocation.screen.table(
            [[Cell(key.name, "bold"), "own" if key.own else "trusted", key.id] for key in found]
        )
    else:
        invocation.errors.line("there are none; `mainspring keys new` makes one to sign with")


@command.command(cls=Verb)
@click.argument("name", default="default")
@given
def show(invocation: Invocation, name: str) -> None:
    """Print the public key NAME (or with that id), to be given to others."""
    from mainspring.app.keys import keys_view
    from mainspring.storage.keyring import Keyring

    found = Keyring().find(name)
    if invocation.json:
        invocation.emit(keys_view([found]))
    else:
        invocation.screen.write(f"# {found.name} {found.id}\n{found.public}")


@command.command(cls=Verb)
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@given
def trust(invocation: Invocation, name: str, file: Path) -> None:
    """Trust what the public key in FILE has signed, and call it NAME.

    Compare the id that is printed with the one that its owner sees in `mainspring keys list`, by
    another way than the one FILE came by.
    """
    from mainspring.app.keys import trust

    _tell(invocation, trust(name, file))


@command.command(cls=Verb)
@click.argument("name")
@given
def untrust(invocation: Invocation, name: str) -> None:
    """Trust the key NAME no more. What was imported with it stays, and says so."""
    from mainspring.storage.keyring import Keyring

    _tell(invocation, Keyring().untrust(name))


def _tell(invocation: Invocation, key: Known) -> None:
    from mainspring.app.keys import keys_view

    if invocation.json:
        invocation.emit(keys_view([key]))
    else:
        invocation.screen.line(f"{key.name}  {key.id}")
