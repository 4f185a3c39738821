"""PostgreSQL's version of each statement: its own where it has one, else SQLite's, translated.

And of the values: what PostgreSQL's text cannot hold (NUL, halves of surrogate pairs) is written
with an escape that is undone when it is read; a NaN is NULL, as SQLite keeps it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from math import isnan
from typing import Any

from mainspring.storage.sessions import Row, Values
from mainspring.storage.statements import statements, versions

_GROUPS = (
    ("tasks", "queue"), ("tasks",), ("runs",), ("results",), ("attempts",), ("decisions",),
    ("metrics",), ("integrity",), ("sweep",), ("metrics", "facts"),
    ("imports",),
    ("verifications",),
)  # fmt: skip
_TOKEN = re.compile(r"'(?:[^']|'')*'|::|\?|:([a-z_]+)|%")
ESCAPE = "\uf8fe"  # of the private use area: text that has it is escaped too
_ODD = re.compile(f"[\0{ESCAPE}\ud800-\udfff]")
_ESCAPED = re.compile(f"{ESCAPE}([0-9a-f]{{4}})")


@cache
def _own() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for group in _GROUPS:
        common = statements(*group)
        for name, sql in versions("postgres", *group).items():
            if name in common:
                found[common[name]] = placeholders(sql)
    return found


@lru_cache(maxsize=1024)  # searches are made of pieces: there may be any number of them
def translated(sql: str) -> str:
    """The statement that does on PostgreSQL what `sql` does on SQLite."""
    return _own().get(sql) or placeholders(sql)


def placeholders(sql: str) -> str:
    """The same statement with psycopg's placeholders."""

    def one(match: re.Match[str]) -> str:
        text, name = match.group(), match.group(1)
        if text == "?":
            return "%s"
        return f"%({name})s" if name else text.replace("%", "%%")

    return _TOKEN.sub(one, sql)


def outward(values: Values) -> Values:
    """Values as PostgreSQL takes them."""
    if isinstance(values, Mapping):
        return {name: _outward(value) for name, value in values.items()}
    return tuple([_outward(value) for value in values])


def _outward(value: Any) -> Any:
    if isinstance(value, str):
        return _ODD.sub(_escape, value) if _ODD.search(value) else value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and isnan(value):
        return None
    return value


def _escape(match: re.Match[str]) -> str:
    return f"{ESCAPE}{ord(match.group()):04x}"


def inward(rows: Iterable[Row]) -> list[Row]:
    """Rows as they were before `outward`."""
    found = list(rows)
    for place, row in enumerate(found):
        if any(isinstance(value, str) and ESCAPE in value for value in row):
            found[place] = tuple(_inward(value) for value in row)
    return found


def _inward(value: Any) -> Any:
    if isinstance(value, str) and ESCAPE in value:
        return _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), value)
    return value
