"""Constants in conditions on runs: numbers, texts, times, durations, and who goes with whom."""

from __future__ import annotations

import ast
import math
import re
from datetime import datetime
from difflib import get_close_matches
from typing import NamedTuple, NoReturn

from mainspring.records.conditions import ANY, NUMBER, SECONDS, TEXT, TIME, Field
from mainspring.records.errors import SearchError
from mainspring.records.facts import LONGEST_TEXT, Fact
from mainspring.records.status import RunStatus

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([smhdw])", re.ASCII)
_VERSION = re.compile(r"v[0-9]{1,18}", re.ASCII)
_WORDS = {NUMBER: "a number", TEXT: "a text", TIME: "a time", SECONDS: "a duration", ANY: "either"}
_TIME_HINT = "write '2026-11-01', '2026-11-01 13:30' or ago('7d')"
_DURATION_HINT = "write seconds, or a text such as '90s', '1h30m', '7d'"


class Place(NamedTuple):
    """The text that is read, and the present time."""

    line: str
    now: float


def refuse(message: str, line: str, node: ast.AST | None = None, *, hint: str = "") -> NoReturn:
    """Raise SearchError for a part of a condition, with its text and column (from 1)."""
    offset = getattr(node, "col_offset", None)
    place = ""
    if offset is not None:  # in bytes
        place = f" (column {len(line.encode()[:offset].decode(errors='ignore')) + 1})"
    shown = line if len(line) <= 200 else line[:197] + "..."
    raise SearchError(f"condition `{shown}`: {message}{place}", hint=hint or None)


def described(field: Field) -> str:
    """A field with its type."""
    return f"`{field}`" if field.kind == ANY else f"`{field}` ({_WORDS[field.kind]})"


def has_text(field: Field) -> bool:
    """Whether a field may be a text."""
    return field.kind in (TEXT, ANY)


def comparable(one: Field, other: Field) -> bool:
    """Whether two fields may be compared: both numbers, times, durations or texts."""
    return one.kind == other.kind or (
        ANY in (one.kind, other.kind) and not {TIME, SECONDS} & {one.kind, other.kind}
    )


def constant(field: Field, node: ast.expr, place: Place) -> Fact:
    """What a field is compared with. Raises SearchError if it is of another type."""
    if isinstance(node, ast.Name):
        return _word(field, node, place)
    if field.kind == TIME and isinstance(node, ast.Call):
        return _ago(node, place)
    value = _plain(field, node, place)
    if isinstance(value, str):
        return _from_text(field, value, node, place)
    if field.kind == TEXT:
        said = f"`{field}` is a text, and can't be compared with a number"
        refuse(said, place.line, node, hint="write the text in quotes")
    return value


def _plain(field: Field, node: ast.expr, place: Place) -> Fact:
    negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd)
    inner = node.operand if isinstance(node, ast.UnaryOp) and negative else node
    if not isinstance(inner, ast.Constant) or not isinstance(inner.value, int | float | str):
        said = f"`{field}` is compared with what is neither a number nor a text"
        refuse(said, place.line, node, hint="write a constant: 0.5, 'text', True")
    if isinstance(inner.value, str):
        if negative:
            refuse("a text has no sign", place.line, node)
        return inner.value
    try:
        value = float(inner.value)
    except OverflowError:
        value = math.inf
    return -value if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else value


def _from_text(field: Field, text: str, node: ast.expr, place: Place) -> Fact:
    if field.kind == NUMBER:
        refuse(
            f"`{field}` is a number, and can't be compared with the text '{text[:50]}'",
            place.line,
            node,
            hint="write the number without quotes",
        )
    if field.kind == TIME:
        return _time(text, node, place)
    if field.kind == SECONDS:
        return _seconds(text, node, place)
    if field.name == "status" and field.root == "run":
        return _status(text, node, place)
    return checked_text(text, node, place.line, cut=field.name != "note")


def checked_text(text: str, node: ast.expr, line: str, *, cut: bool = True) -> str:
    """A text as stores can hold it."""
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        refuse("has a character that no text may have (NUL, half of a pair)", line, node)
    if cut and len(text) > LONGEST_TEXT:
        refuse(f"a text is longer than {LONGEST_TEXT} characters", line, node)
    return text


def _word(field: Field, node: ast.Name, place: Place) -> str:
    """Words without quotes: states, names of pipelines, versions of data and models."""
    if field.root == "run" and field.name == "status":
        return _status(node.id, node, place)
    if field.root == "run" and field.name == "pipeline":
        return node.id
    if field.name.startswith(("data.", "models.")) and _VERSION.fullmatch(node.id):
        return node.id
    refuse(f"unknown name `{node.id}`", place.line, node, hint=f"a text needs quotes: '{node.id}'")


def _status(text: str, node: ast.expr, place: Place) -> str:
    known = [status.value for status in RunStatus]
    if text not in known:
        near = get_close_matches(text, known, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
        refuse(f"there is no status `{text[:50]}`", place.line, node, hint=hint)
    return text


def _ago(node: ast.Call, place: Place) -> float:
    if (
        not isinstance(node.func, ast.Name)
        or node.func.id != "ago"
        or len(node.args) != 1
        or node.keywords
        or not isinstance(node.args[0], ast.Constant)
        or not isinstance(node.args[0].value, str)
    ):
        refuse("is no time", place.line, node, hint=_TIME_HINT)
    return place.now - _seconds(node.args[0].value, node, place)


def _time(text: str, node: ast.expr, place: Place) -> float:
    """Local time, unless the text says which."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        refuse(f"'{text[:50]}' is no time", place.line, node, hint=_TIME_HINT)


def _seconds(text: str, node: ast.expr, place: Place) -> float:
    total, end = 0.0, 0
    for found in _DURATION.finditer(text):
        if found.start() != end:
            break
        total += float(found[1]) * _UNITS[found[2]]
        end = found.end()
    if not text or end != len(text):
        refuse(f"'{text[:50]}' is no duration", place.line, node, hint=_DURATION_HINT)
    return total
