"""Between two environments values pass as data only: a pickle of one need not fit the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mainspring.records import artifacts
from mainspring.records.artifacts import ArtifactRef, Input
from mainspring.records.errors import SerializationError

_HINT = (
    "hand on arrays, tables, text, numbers or files, or a type with a format of its own "
    "that is data only"
)


def check_inputs(inputs: Mapping[str, Input]) -> None:
    """Raise SerializationError if an input of a step with an environment of its own is pickled."""
    for name, given in inputs.items():
        if not all(_plain(given)):
            raise SerializationError(
                f"the input {name} is pickled, and the step has its own environment",
                hint=_HINT,
            )


def check_outputs(outputs: Mapping[str, ArtifactRef], where: str) -> None:
    """Raise SerializationError if an output of a step with an environment of its own is pickled."""
    for name, ref in outputs.items():
        if not ref.data_only:
            raise SerializationError(
                f"the output {name} can only be pickled, and the step has its own environment",
                where=where,
                hint=_HINT,
            )


def _plain(given: Input) -> Iterator[bool]:
    match given:
        case artifacts.Stored():
            yield given.ref.data_only if given.element is None else given.element.data_only
        case artifacts.Sequence():
            for item in given.items:
                yield from _plain(item)
        case artifacts.Mapping() | artifacts.Bundle():
            for item in given.items.values():
                yield from _plain(item)
        case _:
            pass
