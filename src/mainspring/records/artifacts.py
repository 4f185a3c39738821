"""References to immutable, content-addressed values, and how they travel into a task."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec


class ArtifactRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One stored value: `digest` is `blake3:<64 hex>`, `size` bytes, `format` a serializer's name.

    `type` is the text of the Python type. `data_only` is False for a pickle. A list whose elements
    are artifacts of their own has format "list" and, in `count`, its length.
    """

    digest: str
    size: int
    format: str
    type: str = ""
    data_only: bool = True
    count: int | None = None


class ElementRef(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One element of a list artifact: where its bytes lie (offset -1: in a blob of their own)."""

    digest: str
    size: int
    format: str
    offset: int = -1
    data_only: bool = True
    type: str = ""


class Literal(msgspec.Struct, frozen=True, kw_only=True, tag_field="input", tag="value"):
    """A JSON value given in the spec, as a parameter, or computed by an expression."""

    value: Any


class Stored(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="input", tag="stored"
):
    """A whole artifact, or the element `index` of a list artifact; of a list in JSON, which has no
    index of its own, `element` says where that element lies.

    Of a dataset or model `source` says which (`data digits@v3`) and `identity` is the digest of its
    content, wherever that is kept; `table` names the library in whose table its file is read."""

    ref: ArtifactRef
    index: int | None = None
    element: ElementRef | None = None
    source: str = ""
    identity: str = ""
    table: str = ""


class Sequence(msgspec.Struct, frozen=True, kw_only=True, tag_field="input", tag="sequence"):
    """A list (or tuple) of inputs, as in `join([a, b, c])`."""

    items: tuple[Literal | Stored | Sequence | Mapping | Bundle | Absent, ...]


class Mapping(msgspec.Struct, frozen=True, kw_only=True, tag_field="input", tag="mapping"):
    """A dict of inputs by text key."""

    items: dict[str, Literal | Stored | Sequence | Mapping | Bundle | Absent]


class Bundle(msgspec.Struct, frozen=True, kw_only=True, tag_field="input", tag="bundle"):
    """All outputs of a step as the one value it returned: `type` is `module:Class` or "tuple"."""

    type: str
    items: dict[str, Literal | Stored | Sequence | Mapping | Bundle | Absent]


class Absent(msgspec.Struct, frozen=True, kw_only=True, tag_field="input", tag="absent"):
    """The output of a skipped task, seen by a joining step: its default, or None."""


Input: TypeAlias = Literal | Stored | Sequence | Mapping | Bundle | Absent
