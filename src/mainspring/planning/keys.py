"""Keys and seeds: what makes two tasks the same computation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from blake3 import blake3

from mainspring.records.artifacts import (
    Absent,
    Bundle,
    ElementRef,
    Input,
    Literal,
    Sequence,
    Stored,
)
from mainspring.records.artifacts import Mapping as MappingInput
from mainspring.records.canonical import canonical, digest_bytes

SEMANTICS = 1
"""Version of the worker's semantics; a change makes every key new."""

SHORT = 60

WHOLE = frozenset({"file", "directory"})
"""Formats of a dataset or model of which the digest of its content tells all that a step sees."""


def input_digest(value: Input, element: ElementRef | None = None) -> str:
    """Return the digest of an input: of its content and format, however it is stored.

    A JSON artifact and the same value written in the spec have the same digest. `element` is the
    index entry of a `Stored` element of a list.
    """
    if isinstance(value, Stored):
        if element is not None:
            return f"{element.format}:{element.digest}"
        if value.index is not None:
            return f"{value.ref.format}:{value.ref.digest}#{value.index}"
        if value.identity and value.ref.format in WHOLE:
            return f"{value.ref.format}:{value.identity}"
        return f"{value.ref.format}:{value.ref.digest}"
    if isinstance(value, Literal):
        return f"json:{digest_bytes(_json(value.value))}"
    if isinstance(value, Sequence):
        return "sequence:" + _hash([input_digest(item) for item in value.items])
    if isinstance(value, MappingInput):
        return "mapping:" + _hash(sorted((k, input_digest(v)) for k, v in value.items.items()))
    if isinstance(value, Bundle):
        parts = [(k, input_digest(v)) for k, v in value.items.items()]
        return f"bundle:{value.type}:" + _hash(parts)
    assert isinstance(value, Absent)
    return "absent"


def short(value: Input, element: ElementRef | None = None) -> str:
    """Return a short text of an input, for explanations and listings."""
    if isinstance(value, Literal):
        text = canonical(value.value).decode()
        return text if len(text) <= SHORT else text[: SHORT - 1] + "…"
    if isinstance(value, Stored):
        if value.source:
            return value.source
        digest = element.digest if element is not None else value.ref.digest
        kind = value.ref.type.rpartition(".")[2] or value.ref.format
        return f"{kind} {digest[7:15]}"
    if isinstance(value, Absent):
        return "absent"
    digest = input_digest(value).rpartition(":")[2]
    return f"{len(value.items)} values {digest[:8]}"


def task_key(static: str, inputs: Mapping[str, tuple[str, str]], seed: int) -> str:
    """Return the cache key: a digest over the static part, inputs by name, and the seed."""
    hasher = blake3(static.encode())
    for name in sorted(inputs):
        hasher.update(f"\0{name}\0{inputs[name][0]}".encode())
    hasher.update(f"\0seed\0{seed}".encode())
    return "key:" + hasher.hexdigest()


def task_seed(run_seed: int, path: str, element: str | None) -> int:
    """Return H(run seed, step, digest of its map element) as a non-negative 63-bit integer.

    `path` is the step's path with rounds but without the map's index, so that inserting an
    element leaves the seeds of the others alone.
    """
    text = f"{run_seed}\0{path}\0{element or ''}"
    return int.from_bytes(blake3(text.encode()).digest(length=8), "big") >> 1


def _json(value: Any) -> bytes:
    """The bytes that the value has as a JSON artifact: a dict that looks like a tagged value (a
    NaN is `{"$float": "nan"}`) is wrapped."""
    data = canonical(value)
    return canonical(_escaped(value)) if b'{"$' in data else data


def _escaped(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    made = {key: _escaped(item) for key, item in cast("dict[str, Any]", value).items()}
    return {"$escaped": made} if len(made) == 1 and next(iter(made)).startswith("$") else made


def _hash(value: Any) -> str:
    return blake3(canonical(value)).hexdigest()
