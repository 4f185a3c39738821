"""The source snapshot of a run: which files, with which digests, imported from where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec


class SourceFile(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One file of a project: POSIX path relative to its root, digest, size in bytes, executable."""

    path: str
    digest: str
    size: int
    executable: bool = False


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A project's source at one instant; its digest (of its canonical JSON) names the snapshot.

    `roots` are the directories, relative to the project ("" is itself), from which modules import.
    """

    files: tuple[SourceFile, ...]
    roots: tuple[str, ...] = ("",)
    format: str = "mainspring.source/1"


class CodePart(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One definition (or whole module) that a step's behaviour depends on."""

    name: str
    digest: str
    where: str


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """A step's code: the parts it reaches in the project, the third-party modules it imports.

    `packages` are top-level import names; `dynamic` lists places (file:line) where reach could
    not be decided and more was counted than may be needed.
    """

    digest: str
    parts: tuple[CodePart, ...]
    packages: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()


class Static(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a task's key that does not depend on its inputs; stored once, by digest.

    `environment` maps distributions to versions, `variables` declared environment variables to
    digests of their values.
    """

    code: tuple[CodePart, ...]
    environment: dict[str, str]
    options: dict[str, str]
    variables: dict[str, str]
    platform: str
    semantics: int


class Memo(Protocol):
    """Remembers, from one process to the next, what was found in a file's content: data by key."""

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, data: bytes) -> None: ...


class Distribution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An installed distribution. `requires` are the names of others that it may use.

    `content` is a digest where the version does not tell the content: an editable, local or
    version-control install, or a package on `sys.path` that no distribution claims.
    """

    name: str
    version: str
    requires: tuple[str, ...] = ()
    content: str = ""


_STORED_WITH = {"scikit-learn": ("skops",)}
"""Distributions that Mainspring stores values of others with: their versions tell in the bytes."""


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What is installed: distributions by name, and which of them provide an import name."""

    distributions: dict[str, Distribution] = {}
    provides: dict[str, tuple[str, ...]] = {}

    def closure(self, packages: Iterable[str]) -> dict[str, str]:
        """Versions of the distributions that provide these import names, and of all they require
        or are stored with.

        A name that nothing installed provides has no entry: installing it adds one.
        """
        found: dict[str, str] = {}
        waiting = [name for package in packages for name in self.provides.get(package, ())]
        while waiting:
            name = waiting.pop()
            known = self.distributions.get(name)
            if known is None or known.name in found:
                continue
            found[known.name] = (
                f"{known.version}+{known.content}" if known.content else known.version
            )
            waiting.extend((*known.requires, *_STORED_WITH.get(known.name, ())))
        return dict(sorted(found.items()))
