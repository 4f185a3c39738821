"""The elements of a mapped input: given in the spec, or those of a list that was stored."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from mainspring.planning.keys import input_digest, short
from mainspring.planning.resolve import ArtifactReader, element_input
from mainspring.records.artifacts import (
    ArtifactRef,
    Bundle,
    ElementRef,
    Input,
    Literal,
    Sequence,
    Stored,
)
from mainspring.records.errors import DefinitionError


class Elements(msgspec.Struct, frozen=True):
    """The elements of one mapped input: JSON values, inputs, or those of a list artifact.

    `tagged` are the index entries of elements of a JSON list that plain data can't stand for.
    """

    inputs: tuple[Input, ...] = ()
    ref: ArtifactRef | None = None
    entries: tuple[ElementRef, ...] = ()
    tagged: dict[int, ElementRef] = {}

    def __len__(self) -> int:
        return len(self.entries) if self.ref is not None else len(self.inputs)

    def at(self, index: int) -> tuple[Input, ElementRef | None]:
        """Return one element as an input, and its index entry if it has one."""
        if self.ref is not None:
            return element_input(self.ref, self.entries, index), self.entries[index]
        return self.inputs[index], self.tagged.get(index)


def elements_of(name: str, value: Input, reader: ArtifactReader, where: str) -> Elements:
    """The elements of a value to be mapped over. Raises DefinitionError if it is no list."""
    if isinstance(value, Literal):
        loaded: Any = value.value
        if isinstance(loaded, list):
            return Elements(inputs=_literals(cast("list[Any]", loaded)))
    if isinstance(value, Stored) and value.index is None:
        if value.ref.format == "json":
            loaded = reader.value(value.ref)
            if isinstance(loaded, list):
                return _of_json(value.ref, cast("list[Any]", loaded), reader)
        if value.ref.format == "list":
            return Elements(ref=value.ref, entries=reader.elements(value.ref))
    if isinstance(value, Sequence):
        return Elements(inputs=value.items)
    if isinstance(value, Bundle) and value.type == "tuple":
        return Elements(inputs=tuple(value.items.values()))
    kind = value.ref.type or value.ref.format if isinstance(value, Stored) else short(value)
    raise DefinitionError(f"map needs a list for {name!r}, not {kind}", where=where)


def _literals(values: list[Any]) -> tuple[Input, ...]:
    return tuple(Literal(value=value) for value in values)


def _of_json(ref: ArtifactRef, values: list[Any], reader: ArtifactReader) -> Elements:
    """The elements of a JSON list: as values, but by reference where plain data would lose what
    they are (a dataclass, a tuple, a date)."""
    inputs = list(_literals(values))
    tagged: dict[int, ElementRef] = {}
    for index, entry in enumerate(reader.elements(ref)):
        if input_digest(inputs[index]) != f"{entry.format}:{entry.digest}":
            inputs[index] = Stored(ref=ref, index=index, element=entry)
            tagged[index] = entry
    return Elements(inputs=tuple(inputs), tagged=tagged)
