"""The verb `keys`: a person's keys as they are shown, and trusting one from a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mainspring.app.capsule.views import KeysView, KeyView
from mainspring.records.errors import MainspringError
from mainspring.storage.keyring import Keyring, Known

LARGEST = 10_000
"""Bytes of a public key's file at most."""


def trust(name: str, file: Path) -> Known:
    """Trust the public key in a file. Raises MainspringError for a file that holds none."""
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise MainspringError(f"can't be read: {error.strerror}", where=str(file)) from None
    if b"PRIVATE KEY" in data:
        raise MainspringError(
            "this is a private key, which nobody but its owner should have",
            where=str(file),
            hint="its owner gives others what `mainspring keys show` prints",
        )
    return Keyring().trust(name, data, str(file))


def keys_view(found: Iterable[Known]) -> KeysView:
    """Return keys as they are printed with `--json`."""
    keys = [KeyView(name=key.name, id=key.id, own=key.own, public=key.public) for key in found]
    return KeysView(keys=keys)
