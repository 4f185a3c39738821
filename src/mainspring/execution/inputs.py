"""From what an order says of its inputs to the values that a step's function is called with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from mainspring.definition.bundles import rebuild
from mainspring.records import artifacts
from mainspring.records.artifacts import Input
from mainspring.records.ports import Blobs
from mainspring.storage.serializers import registry

Load: TypeAlias = Callable[[artifacts.Stored], Any]


REFERENCE = "reference"
"""The format of data that is read in its own place."""


class Missing:
    """Stands for the output of a skipped task until the port's default is known."""


MISSING = Missing()


def loader(blobs: Blobs, workdir: Path) -> Load:
    """Return a function that reads stored values from `blobs`; files are laid out in `workdir`."""

    def load(stored: artifacts.Stored) -> Any:
        value: Any = registry.load(
            stored.ref, blobs, index=stored.index, element=stored.element, workdir=workdir
        )
        if not stored.table:
            return value
        from mainspring.storage.serializers import tables

        return tables.read(value, stored.table)

    return load


def value_of(given: Input, load: Load) -> Any:
    """The value of one input; MISSING when it is absent as a whole, None inside a container."""
    match given:
        case artifacts.Literal():
            return given.value
        case artifacts.Stored():
            return load(given)
        case artifacts.Absent():
            return MISSING
        case artifacts.Sequence():
            return [_inner(item, load) for item in given.items]
        case artifacts.Mapping():
            # As in stored JSON: the order of a dict is no part of the key.
            return {name: _inner(item, load) for name, item in sorted(given.items.items())}
        case artifacts.Bundle():
            return _bundle(given, load)


def _inner(given: Input, load: Load) -> Any:
    value = value_of(given, load)
    return None if value is MISSING else value


def places(given: Iterable[Input], blobs: Blobs) -> Iterator[str]:
    """Where the data lies that stays where it is, however deep in the inputs: it is declared, and
    was checked when it was loaded."""
    for one in given:
        match one:
            case artifacts.Stored() if one.ref.format == REFERENCE:
                from mainspring.storage.folders.reference import read_reference

                yield read_reference(blobs.read(one.ref.digest)).place
            case artifacts.Sequence():
                yield from places(one.items, blobs)
            case artifacts.Mapping() | artifacts.Bundle():
                yield from places(one.items.values(), blobs)
            case _:
                pass


def arguments(inputs: Mapping[str, Input], ports: Mapping[str, Any], load: Load) -> dict[str, Any]:
    """Keyword arguments for the function; an absent input takes its port's default, or None."""
    values: dict[str, Any] = {}
    for name, given in inputs.items():
        value = value_of(given, load)
        if value is MISSING:
            port = ports.get(name)
            if port is not None and not port.required:
                continue
            value = None
        values[name] = value
    return values


def _bundle(given: artifacts.Bundle, load: Load) -> Any:
    names = sorted(given.items, key=int) if given.type == "tuple" else list(given.items)
    return rebuild(given.type, {name: _inner(given.items[name], load) for name in names})
