"""Imported models: versions that never change, the aliases that point at them; and their ports."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Protocol

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import MainspringError, NotFoundError

_NUMBER = re.compile(r"v?([0-9]{1,15})", re.ASCII)
_DIGEST = re.compile(r"blake3:[0-9a-f]{6,64}", re.ASCII)
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}", re.ASCII)
_SHOWN = 5


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """An ed25519 signature that held when the model was imported: `value` (base64) is over the
    text `signed`, a digest; `key` is the public key in PEM, `fingerprint` its id in `mainspring
    keys`, without `sha256:`."""

    signed: str
    value: str
    key: str
    fingerprint: str


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a model, written `name@v2`.

    `digest` is the identity of the content, `digests` others that it was checked against
    (`sha256:…`); `ref` is what a step is given, marked where it holds pickles. `size` is bytes,
    `created` seconds since the epoch, `origin` where it came from, without credentials, `licence`
    an SPDX expression, or what else was said of it.
    """

    model: str
    number: int = 0
    digest: str
    ref: ArtifactRef
    created: float
    files: int
    size: int
    licence: str = ""
    origin: str = ""
    digests: tuple[str, ...] = ()
    signature: Signature | None = None

    @property
    def name(self) -> str:
        """`bert@v2`."""
        return f"{self.model}@v{self.number}"


class AliasMove(msgspec.Struct, frozen=True, kw_only=True):
    """From `at` on (seconds since the epoch) an alias points at version `number`."""

    model: str
    alias: str
    number: int
    at: float


class ModelReads(Protocol):
    """What is asked about models."""

    def model_version(self, name: str, wanted: str | None = None) -> ModelVersion:
        """The newest version, or the one that is `wanted`: `v3`, `3`, an alias, or the beginning
        of a digest (of equal ones the newest). Raises NotFoundError, which names what there is."""
        ...

    def model_versions(self, name: str) -> list[ModelVersion]:
        """All versions, the first one first; none where there is no such model."""
        ...

    def models(self) -> list[ModelVersion]:
        """The newest version of each model, by name."""
        ...

    def alias_moves(self, name: str) -> list[AliasMove]:
        """Every move of every alias of a model, the first one first."""
        ...


class ModelWrites(Protocol):
    """What is done to models in a transaction. Nothing is ever changed or removed."""

    def newest_model_version(self, name: str) -> ModelVersion | None:
        """The newest version, if there is one. From here to the transaction's end nobody else
        adds a version or moves an alias of the model."""
        ...

    def add_model_version(self, version: ModelVersion) -> ModelVersion:
        """Add it (its `number` does not matter); return it with its number."""
        ...

    def move_alias(self, move: AliasMove) -> None:
        """Append a move. Raises NotFoundError where there is no such version."""
        ...


def check_alias(text: str) -> str:
    """Return an alias. Raises MainspringError for what can't be one, or would read as a version."""
    if not _ALIAS.fullmatch(text) or _NUMBER.fullmatch(text) or text == "latest":
        raise MainspringError(
            f"{text!r} can't be an alias",
            hint="an alias has up to 100 letters, digits, _ and -, begins with a letter, and is "
            "no version (`v3`) and not `latest`",
        )
    return text


def present(moves: Sequence[AliasMove]) -> dict[str, int]:
    """Return which version each alias points at now, by alias."""
    found = {move.alias: move.number for move in moves}
    return dict(sorted(found.items()))


def pick_model(
    name: str,
    wanted: str | None,
    found: Sequence[ModelVersion],
    aliases: Mapping[str, int],
    others: Sequence[str],
) -> ModelVersion:
    """The version that is wanted of those that `found` has, the first one first.

    `others` are the names of all models. Raises NotFoundError.
    """
    if not found:
        raise _no_model(name, others)
    if wanted is None:
        return found[-1]
    number = _NUMBER.fullmatch(wanted)
    asked = int(number[1]) if number else aliases.get(wanted)
    fitting = [version for version in found if version.number == asked]
    if not fitting and _DIGEST.fullmatch(wanted):
        fitting = [version for version in found if version.digest.startswith(wanted)]
    if not fitting:
        known = [f"v{version.number}" for version in found[-_SHOWN:]]
        raise NotFoundError(
            f"model {name!r} has no version or alias {wanted!r}",
            hint=f"it has {', '.join([*aliases, *known])}",
        )
    if len({version.digest for version in fitting}) > 1:
        names = ", ".join(f"v{version.number}" for version in fitting[:_SHOWN])
        raise NotFoundError(
            f"{wanted!r} is the beginning of more than one digest of {name!r}: {names}",
            hint="give more of the digest",
        )
    return fitting[-1]


def _no_model(name: str, others: Sequence[str]) -> NotFoundError:
    near = get_close_matches(name, others, 1)
    hint = f"`mainspring models import {name} PATH` imports one"
    if near:
        hint = f"did you mean {near[0]!r}?"
    elif others:
        more = ", ..." if len(others) > _SHOWN else ""
        hint = f"there is {', '.join(others[:_SHOWN])}{more}; {hint}"
    return NotFoundError(f"there is no model {name!r}", hint=hint)
