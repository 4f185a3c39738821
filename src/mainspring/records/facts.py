"""What of a run can be searched: facts, each a name with a number or a text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast

from mainspring.records.canonical import canonical
from mainspring.records.sources import Source

Fact: TypeAlias = float | str

LONGEST_TEXT = 256
"""Characters of a text that are found; of a longer one the beginning, and then `…`."""

LONGEST_NAME = 200
"""Characters in the name of a parameter or tag that can be searched for."""

MOST = 1_000
"""Facts of one run's parameters."""


def number_fact(value: float) -> Fact:
    """A number as it is searched for; what is "not a number" is the text `nan`."""
    return "nan" if math.isnan(value) else value


def text_fact(text: str) -> str:
    """A text as it is searched for."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def parameter_facts(parameters: Mapping[str, Any]) -> dict[str, Fact]:
    """`params.NAME` of every parameter; of a dict its entries, `params.NAME.KEY`.

    Booleans are 1 and 0, None is the same as not given, and a list is its JSON.
    """
    found: dict[str, Fact] = {}
    for name, value in _leaves(parameters):
        if len(found) >= MOST:
            break
        if value is not None and len(name) <= LONGEST_NAME:
            found.setdefault(f"params.{name}", _fact(value))
    return found


def source_facts(sources: Mapping[str, Source]) -> dict[str, Fact]:
    """`data.NAME` of every dataset that a run used, `models.NAME` of every model: its version,
    `v3`. Where a run used several, the one that was named without a version, or else the first."""
    found: dict[str, Fact] = {}
    for key, source in sorted(sources.items()):
        name = f"{'data' if source.kind == 'dataset' else 'models'}.{source.name}"
        found.setdefault(name, source.version)
        if key == f"{source.kind}s.{source.name}":
            found[name] = source.version
    return found


def _leaves(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    waiting = [iter(sorted(values.items()))]
    names: list[str] = []
    while waiting:
        name, value = next(waiting[-1], (None, None))
        if name is None:
            waiting.pop()
            names[-1:] = []
        elif isinstance(value, dict):
            names.append(name)
            waiting.append(iter(sorted(cast("dict[str, Any]", value).items())))
        else:
            yield ".".join([*names, name]), value


def _fact(value: Any) -> Fact:
    if isinstance(value, str):
        return text_fact(value)
    if isinstance(value, bool | int | float):
        try:
            return number_fact(float(value))
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return text_fact(canonical(value).decode())
