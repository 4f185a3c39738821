"""What one module's text says by itself, as data that can be kept from one process to the next."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import IntEnum

import msgspec

ANALYSER = 2
"""Raised with every change of what is written here or of how it is found."""


class Use(IntEnum):
    """How a name is used: that decides what can be seen of the thing it denotes."""

    CALL = 0
    VALUE = 1
    TYPE = 2
    STORE = 3
    OWN_MODULE = 4


class Kind(IntEnum):
    """What a top-level statement is; MAIN is the block that only a script runs."""

    FUNCTION = 0
    CLASS = 1
    IMPORT = 2
    ASSIGN = 3
    EFFECT = 4
    MAIN = 5


class Demand(IntEnum):
    """What must hold of a name for the statement that mentions it to be free of side effects."""

    DECORATOR = 0
    BASE = 1
    METACLASS = 2
    CALL = 3
    ATTRIBUTE = 4
    SUBSCRIPT = 5
    UNION = 6
    OPTIONS = 7


class Import(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One imported name. `name` is "" for `import module`, "*" for a star import.

    `bound` is the module that the alias of an `import` statement denotes.
    """

    level: int
    module: str
    name: str
    alias: str
    bound: str


class Reference(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A dotted name used in a statement. `base` is an import made inside it, or -1: the module's.

    `text` is the constant first argument of a call.
    """

    base: int
    path: tuple[str, ...]
    use: Use
    line: int
    text: str = ""


class Need(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A demand on a dotted name of the module."""

    demand: Demand
    path: tuple[str, ...]


class Statement(msgspec.Struct, frozen=True, array_like=True):
    """One top-level statement of a module.

    `binds` are the names it binds, with the import that does so (or -1); `late` those bound by
    `global` inside a function. `bare` and `options` are the digest without, and the references
    within, decorators that may be Mainspring's. `docs` is the digest of the docstrings. `needs`
    None: it has effects when the module is imported. `hooks`: a class that acts on its subclasses;
    `starts`: it has methods that run while it is made, if it is an enumeration. `pinned`: it binds
    a name that is bound elsewhere too, so that order matters.
    """

    kind: Kind
    line: int
    digest: str
    binds: tuple[tuple[str, int], ...] = ()
    late: tuple[tuple[str, int], ...] = ()
    imports: tuple[Import, ...] = ()
    references: tuple[Reference, ...] = ()
    needs: tuple[Need, ...] | None = ()
    bare: str = ""
    options: tuple[Reference, ...] = ()
    docs: str = ""
    marks: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    hooks: bool = False
    starts: bool = False
    pinned: bool = False


class ModuleFacts(msgspec.Struct, frozen=True, array_like=True):
    """A module: its statements in order, and a digest of all of it (docstrings included).

    `rows` are the statements, each decoded only when it is reached. `effects` are the indexes of
    those that do, or may do, something when the module is imported; the others only bind a name.
    `bound` tells by name which statements bind it, each with the import that does so (or -1).
    `opaque`: the text can't be read as Python.
    """

    whole: str
    rows: tuple[msgspec.Raw, ...] = ()
    effects: tuple[int, ...] = ()
    bound: dict[str, tuple[tuple[int, int], ...]] = {}
    stars: tuple[Import, ...] = ()
    opaque: bool = False


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ModuleFacts)
_row_decoder = msgspec.msgpack.Decoder(Statement)


def module_facts(whole: str, statements: Sequence[Statement]) -> ModuleFacts:
    """Return the facts of a module that consists of these statements."""
    bound: dict[str, list[tuple[int, int]]] = {}
    stars: list[Import] = []
    effects: list[int] = []
    for index, statement in enumerate(statements):
        if statement.kind is Kind.MAIN:
            continue
        if statement.kind is Kind.IMPORT or statement.needs != ():
            effects.append(index)
        for name, item in (*statement.binds, *statement.late):
            bound.setdefault(name, []).append((index, item))
        stars += [item for item in statement.imports if item.name == "*"]
    return ModuleFacts(
        whole=whole,
        rows=tuple(msgspec.Raw(_encoder.encode(each)) for each in statements),
        effects=tuple(effects),
        bound={name: tuple(places) for name, places in bound.items()},
        stars=tuple(stars),
    )


def statement_of(row: msgspec.Raw) -> Statement:
    """Return the statement of one row of `ModuleFacts`."""
    return _row_decoder.decode(row)


def encode(facts: ModuleFacts) -> bytes:
    """Return the facts as bytes for a memo."""
    return _encoder.encode(facts)


def decode(data: bytes) -> ModuleFacts:
    """Return the facts of `encode`; raises msgspec.DecodeError for anything else."""
    return _decoder.decode(data)


def memo_key(kind: str, name: str) -> str:
    """Name what was found out: it depends on the analyser and on Python's grammar too."""
    return f"{kind}/{ANALYSER}/{sys.version_info[0]}.{sys.version_info[1]}/{name}"
