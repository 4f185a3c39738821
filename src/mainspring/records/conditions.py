"""Conditions on runs as data, and what they mean: stores translate what `evaluate` does."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from mainspring.records.facts import Fact

NUMBER, TEXT, ANY, TIME, SECONDS = "number", "text", "any", "time", "seconds"

Get: TypeAlias = "Callable[[Field], Fact | None]"

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


class Field(NamedTuple):
    """Something that a run has: `root` is "facts" (`name` as in records/facts.py), "run" (a column)
    or "task" (`name` is a task's path, `metric` what it logged)."""

    root: str
    name: str
    kind: str
    metric: str = ""

    def __str__(self) -> str:
        return f"tasks[{self.name!r}].metrics[{self.metric!r}]" if self.metric else self.name


class Compare(NamedTuple):
    """A comparison; at least one side is a field."""

    left: Field | Fact
    sign: str
    right: Field | Fact


class Matches(NamedTuple):
    """Whether a field's text contains, starts with or ends with another."""

    field: Field
    how: str
    text: str


class Present(NamedTuple):
    """Whether a field is there."""

    field: Field


class IsNan(NamedTuple):
    """Whether a field is "not a number"."""

    field: Field


class Not(NamedTuple):
    """The contrary."""

    part: Condition


class All(NamedTuple):
    """Whether all of the parts hold."""

    parts: tuple[Condition, ...]


class Some(NamedTuple):
    """Whether any of the parts holds."""

    parts: tuple[Condition, ...]


Condition: TypeAlias = Compare | Matches | Present | IsNan | Not | All | Some


class Search(NamedTuple):
    """Which runs to find: `where` (None: all), the field to order by (None: newest first) and how
    many. Runs without that field come last; those of equal values in the order of their making."""

    where: Condition | None = None
    order: Field | None = None
    descending: bool = False
    limit: int = 50


def fields_of(search: Search) -> list[Field]:
    """The fields that a search names, each once: the one that it orders by comes first."""
    found = [] if search.order is None else [search.order]
    waiting: list[Any] = [] if search.where is None else [search.where]
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, Field):
            found.append(part)
        elif isinstance(part, tuple):
            waiting[:0] = part
    return list(dict.fromkeys(found))


def evaluate(condition: Condition, get: Get) -> bool:
    """Whether a condition holds for the run whose fields `get` returns (None: it has none).

    A comparison with what is not there does not hold, whichever it is. A number and a text are
    never equal, and neither is less.
    """
    match condition:
        case Compare(left, sign, right):
            return _compare(_value(left, get), sign, _value(right, get))
        case Matches(field, how, text):
            found = get(field)
            return isinstance(found, str) and _matches(found, how, text)
        case Present(field):
            return get(field) is not None
        case IsNan(field):
            return get(field) == "nan"
        case Not(part):
            return not evaluate(part, get)
        case All(parts):
            return all(evaluate(part, get) for part in parts)
        case Some(parts):
            return any(evaluate(part, get) for part in parts)


def _value(side: Field | Fact, get: Get) -> Fact | None:
    if not isinstance(side, Field):
        return side
    found = get(side)
    return float("nan") if side.kind == NUMBER and isinstance(found, str) else found


def _compare(left: Fact | None, sign: str, right: Fact | None) -> bool:
    if left is None or right is None:
        return False
    if isinstance(left, str) != isinstance(right, str):
        return sign == "!="
    return _OPERATORS[sign](left, right)


def _matches(found: str, how: str, text: str) -> bool:
    if how == "contains":
        return text in found
    return found.startswith(text) if how == "startswith" else found.endswith(text)
