"""Datasets and models that a pipeline names, and what each name stood for in a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import DefinitionError

Kind = Literal["dataset", "model"]

ROOTS: dict[str, Kind] = {"datasets": "dataset", "models": "model"}
"""The roots of expressions that name a source: `datasets.digits`, `models['bert@prod']`."""

LIMIT = 100
"""Longest name of a dataset or model, in characters."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*", re.ASCII)
_NUMBER = re.compile(r"v?([1-9][0-9]{0,8})", re.ASCII)
_DIGEST = re.compile(r"blake3:[0-9a-f]{6,64}", re.ASCII)
_SHORT = re.compile(r"[0-9a-f]{6,64}", re.ASCII)
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}", re.ASCII)


class Source(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a name stood for: the version (`v3`), the digest of its content, and what a step is
    given. `alias` is the model's alias by which it was found; `files` and `rows` are counts, rows
    None where they are not known; `size` is bytes."""

    kind: Kind
    name: str
    version: str
    digest: str
    ref: ArtifactRef
    alias: str | None = None
    files: int = 1
    rows: int | None = None
    size: int = 0

    @property
    def title(self) -> str:
        """The name and version: `digits@v3`."""
        return f"{self.name}@{self.version}"


class Named(NamedTuple):
    """A source as it is asked for: `wanted` is a version, a model's alias, or None (the newest)."""

    kind: Kind
    name: str
    wanted: str | None = None

    @property
    def text(self) -> str:
        """As it is written after the root: `digits`, `digits@v3`."""
        return self.name if self.wanted is None else f"{self.name}@{self.wanted}"

    @property
    def key(self) -> str:
        """As it is written in `Run.sources`: `datasets.digits@v3`."""
        return f"{self.kind}s.{self.text}"


def named(kind: Kind, text: str, version: object = None, *, where: str = "") -> Named:
    """Return what `NAME` or `NAME@VERSION` asks for; `version` is it given apart.

    A version is `v3` or `3`, or the beginning of a digest (`blake3:1f9c…`); of a model it may be
    an alias. Raises DefinitionError.
    """
    name, at, wanted = text.partition("@")
    if not _NAME.fullmatch(name) or len(name) > LIMIT:
        raise DefinitionError(
            f"{name[:LIMIT]!r} is no name of a {kind}",
            where=where or None,
            hint=f"at most {LIMIT} letters, digits, `_`, `-` and `.`, the first one a letter",
        )
    if version is None:
        return Named(kind, name, checked_version(kind, name, wanted, where) if at else None)
    if at:
        raise DefinitionError(
            f"{kind} {text!r} has two versions", where=where or None, hint="give it once"
        )
    return Named(kind, name, checked_version(kind, name, version, where))


def checked_version(kind: Kind, name: str, version: object, where: str = "") -> str:
    """Return a version in its one form: `v3`, `blake3:…`, or a model's alias. Raises
    DefinitionError."""
    text = str(version) if isinstance(version, int | str) and version is not True else ""
    number = _NUMBER.fullmatch(text)
    if number:
        return f"v{number[1]}"
    if kind == "dataset" and _SHORT.fullmatch(text):  # as `data show` takes it
        return f"blake3:{text}"
    if _DIGEST.fullmatch(text) or (kind == "model" and _ALIAS.fullmatch(text)):
        return text
    more = ", or an alias" if kind == "model" else ""
    raise DefinitionError(
        f"{version!r} is no version of {kind} {name!r}"[:300],
        where=where or None,
        hint=f"give its number (`v3`), the beginning of its digest (`blake3:…`){more}",
    )


def wanted_of(kind: Kind, versions: Mapping[str, object], where: str = "") -> dict[str, str]:
    """Return what versions by name ask for, by key. Raises DefinitionError."""
    found = {
        name: checked_version(kind, name, version, where) for name, version in versions.items()
    }
    return {f"{kind}s.{name}": version for name, version in found.items()}


def wanted_in(kind: Kind, texts: Iterable[str]) -> dict[str, str]:
    """Return what texts like `digits@v2` ask for, by key. Raises DefinitionError."""
    found: dict[str, str] = {}
    for text in texts:
        asked = named(kind, text)
        if asked.wanted is None:
            raise DefinitionError(
                f"{text!r} says no version of {kind} {asked.name!r}",
                hint=f"write {asked.name}@v2",
            )
        found[f"{kind}s.{asked.name}"] = asked.wanted
    return found
