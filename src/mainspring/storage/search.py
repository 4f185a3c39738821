"""Finding runs: conditions as SQL whose values are bound, and the way that reads the least."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from mainspring.records.conditions import (
    All,
    Compare,
    Condition,
    Field,
    IsNan,
    Matches,
    Not,
    Present,
    Search,
    Some,
)
from mainspring.records.facts import Fact
from mainspring.records.runs import Run
from mainspring.storage.nouns import Reading
from mainspring.storage.rows import run_of
from mainspring.storage.statements import statements

_SQL = statements("runs", "search")
_COLUMNS = {
    "id": "r.id", "pipeline": "r.pipeline", "status": "r.status", "created": "r.created",
    "started": "r.started", "ended": "r.ended", "duration": "(r.ended - r.created)",
}  # fmt: skip
_SIGNS = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_MATCHES = {
    "contains": "replace({text}, ?, '') <> {text}",
    "startswith": "substr({text}, 1, length(?)) = ?",
    "endswith": "length({text}) >= length(?) "
    "AND substr({text}, length({text}) - length(?) + 1) = ?",
}
_PLACES = {"contains": 1, "startswith": 2, "endswith": 3}


class Piece(NamedTuple):
    """A piece of SQL with the values of its marks, in order."""

    sql: str
    values: tuple[Any, ...] = ()


class Side(NamedTuple):
    """One side of a comparison: what it is read from, and where its number or text is."""

    source: str = ""
    where: Piece = Piece("")
    number: str = ""
    text: str = ""
    values: tuple[Any, ...] = ()


class SearchReader(Reading):
    """Runs by conditions on them."""

    def search(self, want: Search) -> list[Run]:
        where = Piece("1 = 1") if want.where is None else condition(want.where)
        ranges = None if want.where is None else self._rare(want.where, want.limit)
        if ranges is not None:
            found = " UNION ".join(_SQL["having"].replace("{range}", r.sql) for r in ranges)
            values = tuple(value for r in ranges for value in r.values)
            where = Piece(f"r.number IN ({found}) AND {where.sql}", values + where.values)
        field = want.order
        way = "DESC" if want.descending else "ASC"
        if field is None:
            return self._run("newest", where, (), want.limit)
        if field.root == "run" and field.name != "note":
            return self._run("by_column", where, (), want.limit, way, _COLUMNS[field.name])
        if ranges is not None:
            return self._run("sorted", where, (field.name,), want.limit, way)
        runs: list[Run] = []
        bounds = _bounds(want.where, field)
        if bounds:
            where = _all([*bounds, where])
        for name in ("numbers",) if bounds else ("numbers", "texts", "without"):
            if len(runs) < want.limit:
                runs += self._run(name, where, (field.name,), want.limit - len(runs), way)
        return runs

    def _run(
        self,
        name: str,
        where: Piece,
        values: Sequence[Any],
        limit: int,
        way: str = "",
        column: str = "",
    ) -> list[Run]:
        sql = _SQL[name].replace("{where}", where.sql).replace("{way}", way)
        rows = self._db.rows(sql.replace("{column}", column), (*values, *where.values, limit))
        return [run_of(row) for row in rows]

    def _rare(self, wanted: Condition, limit: int) -> list[Piece] | None:
        """Facts of which a run that is wanted has one, if looking at those runs is less work.

        Of `all` runs, `few` have such a fact: about `limit * all / few` runs are looked at in the
        order that is asked for until there are enough. That is more than `few` below the root.
        """
        newest = self._db.rows(_SQL["newest_number"])[0][0] or 0
        most = max(limit, math.isqrt(limit * newest))
        found = self._fewest(wanted, most)
        return None if found is None or found[0] > most else found[1]

    def _fewest(self, wanted: Condition, most: int) -> tuple[int, list[Piece]] | None:
        """(how many runs, at least up to `most`; their facts), None if that can't be told."""
        if isinstance(wanted, All):
            parts = [self._fewest(part, most) for part in wanted.parts]
            known = [found for found in parts if found is not None]
            return min(known, key=lambda found: found[0], default=None)
        if isinstance(wanted, Some):
            parts = [self._fewest(part, most) for part in wanted.parts]
            known = [found for found in parts if found is not None]
            if not known or len(known) < len(parts):
                return None
            return sum(count for count, _ in known), [r for _, some in known for r in some]
        piece = fact_range(wanted)
        if piece is None:
            return None
        sql = _SQL["few"].replace("{range}", piece.sql)
        return self._db.rows(sql, (*piece.values, most + 1))[0][0], [piece]


def fact_range(wanted: Condition) -> Piece | None:
    """The part of the index in which the facts lie that such a condition asks for."""
    if isinstance(wanted, Present | IsNan) and wanted.field.root == "facts":
        nan = " AND f.number IS NULL AND f.text = 'nan'" if isinstance(wanted, IsNan) else ""
        return Piece(f"f.name = ?{nan}", (wanted.field.name,))
    if not isinstance(wanted, Compare) or wanted.sign == "!=":
        return None
    field, value = wanted.left, wanted.right
    if not isinstance(field, Field) or field.root != "facts" or isinstance(value, Field):
        return None
    sign = _SIGNS[wanted.sign]
    if isinstance(value, str):
        sql = f"f.name = ? AND f.number IS NULL AND f.text {sign} ?"
    else:
        sql = f"f.name = ? AND f.number {sign} ?"
    return Piece(sql, (field.name, value))


def _bounds(wanted: Condition | None, field: Field) -> list[Piece]:
    """What a condition says of the field `o` that runs are ordered by: where to begin, and end."""
    parts = wanted.parts if isinstance(wanted, All) else (wanted,)
    return [
        Piece(f"o.number {_SIGNS[part.sign]} ?", (part.right,))
        for part in parts
        if isinstance(part, Compare)
        and part.left == field
        and part.sign != "!="
        and isinstance(part.right, float)
    ]


def condition(wanted: Condition) -> Piece:
    """The SQL that is true for the runs `r` of which a condition holds, and else false."""
    match wanted:
        case Compare():
            return _compare(wanted)
        case Matches(field, how, text):
            side = _side(field, "f")
            sql = _MATCHES[how].replace("{text}", side.text)
            return _exists([side], sql, (text,) * _PLACES[how])
        case Present(field):
            return _exists([_side(field, "f")], "1 = 1")
        case IsNan(field):
            return _exists([_side(field, "f")], "f.number IS NULL AND f.text = 'nan'")
        case Not(part):
            inner = condition(part)
            return Piece(f"NOT ({inner.sql})", inner.values)
        case All(parts):
            return _joined(parts, " AND ", "1 = 1")
        case Some(parts):
            return _joined(parts, " OR ", "1 = 0")


def _all(pieces: Sequence[Piece]) -> Piece:
    values = tuple(value for piece in pieces for value in piece.values)
    return Piece(" AND ".join(piece.sql for piece in pieces), values)


def _joined(parts: Sequence[Condition], word: str, nothing: str) -> Piece:
    found = [condition(part) for part in parts]
    values = tuple(value for piece in found for value in piece.values)
    return Piece("(" + (word.join(piece.sql for piece in found) or nothing) + ")", values)


def _compare(wanted: Compare) -> Piece:
    left, right = _side(wanted.left, "f"), _side(wanted.right, "g")
    sign = "=" if wanted.sign == "!=" else _SIGNS[wanted.sign]
    pairs = ((left.number, right.number), (left.text, right.text))
    tests = [f"{one} {sign} {other}" for one, other in pairs if one and other]
    test = f"({' OR '.join(tests) or '1 = 0'})"
    if wanted.sign == "!=":  # of another type, or "not a number", is not equal either
        test = f"CASE WHEN {test} THEN 0 ELSE 1 END = 1"
    return _exists([left, right], test, left.values + right.values)


def _exists(sides: Sequence[Side], test: str, values: tuple[Any, ...] = ()) -> Piece:
    named = [side.source for side in sides if side.source]
    sources = f" FROM {', '.join(named)}" if named else ""
    whole = _all([*(side.where for side in sides if side.where.sql), Piece(test, values)])
    return Piece(f"EXISTS (SELECT 1{sources} WHERE {whole.sql})", whole.values)


def _side(side: Field | Fact, alias: str) -> Side:
    if not isinstance(side, Field):
        is_text = isinstance(side, str)
        return Side(values=(side,), number="" if is_text else "?", text="?" if is_text else "")
    number = "" if side.kind == "text" else f"{alias}.number"
    text = "" if side.kind == "number" else f"{alias}.text"
    if side.root == "facts":
        where = _SQL["fact"].replace("f.", f"{alias}.")
        return Side(f"facts {alias}", Piece(where, (side.name,)), number, text)
    if side.root == "task":
        return _task_side(side, alias)
    if side.name == "note":
        return Side(f"notes {alias}", Piece(f"{alias}.run = r.number"), "", f"{alias}.text")
    column = _COLUMNS[side.name]
    known = Piece(f"{column} IS NOT NULL")
    is_text = side.kind == "text"
    return Side("", known, "" if is_text else column, column if is_text else "")


def _task_side(side: Field, alias: str) -> Side:
    where = _SQL["task_metric"].replace("t.", f"{alias}t.").replace("s.", f"{alias}s.")
    values = (side.name, side.metric)
    return Side(f"tasks {alias}t, series {alias}s", Piece(where, values), f"{alias}s.last")
