"""What people type to find runs, read: `metrics.accuracy > 0.95 and params.c < 1`; never eval.

The text is parsed as a Python expression, of which a closed list is allowed.
"""

from __future__ import annotations

import ast
import time
import warnings
from collections.abc import Callable
from difflib import get_close_matches
from typing import NoReturn, TypeAlias

from mainspring.records import literals
from mainspring.records.conditions import (
    All,
    Compare,
    Condition,
    Field,
    IsNan,
    Matches,
    Not,
    Present,
    Some,
)
from mainspring.records.errors import SearchError
from mainspring.records.fields import NAMES, field_of
from mainspring.records.literals import Place, refuse

LONGEST = 10_000
"""Characters of a condition."""

MOST_PARTS = 200
"""Comparisons in a condition, those that `in [...]` stands for included."""

DEEPEST = 50

FUNCTIONS = ("contains", "startswith", "endswith", "isnan", "ago")

_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

_Side: TypeAlias = "Field | ast.expr"


def parse_where(text: str, *, now: float | None = None) -> Condition:
    """Return the condition that a text says. Raises SearchError, with the place in the text.

    `now` (seconds since the epoch) is what `ago(...)` counts from.
    """
    line, tree = _tree(text)
    return _Reader(line, time.time() if now is None else now).condition(tree, 1)


def parse_order(text: str) -> tuple[Field, bool]:
    """Return the field of `metrics.accuracy:desc`, and whether it descends. Raises SearchError."""
    name, colon, direction = text.rpartition(":")
    if not colon or direction.strip() not in ("asc", "desc"):
        name, direction = text, "asc"
    line, tree = _tree(name)
    field = field_of(tree, line)
    if field is None:
        refuse("is nothing to order by", line, tree, hint=f"order by one of: {', '.join(NAMES)}")
    if field.root == "task":
        refuse("runs can't be ordered by one task's metric", line, tree, hint="use metrics.NAME")
    if field.name == "note":
        refuse("runs can't be ordered by their notes", line, tree)
    return field, direction.strip() == "desc"


def _tree(text: str) -> tuple[str, ast.expr]:
    line = " ".join(text.split("\n")).strip()
    if len(line) > LONGEST:
        raise SearchError(f"a condition is longer than {LONGEST:,} characters")
    if not line:
        raise SearchError("the condition is empty", hint="for example: metrics.accuracy > 0.9")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            return line, ast.parse(line, mode="eval").body
    except SyntaxError as error:
        place = f" (column {error.offset})" if error.offset else ""
        refuse(f"{error.msg}{place}", line, hint=_advice(line))
    except (ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, UnicodeEncodeError):
            raise SearchError("a condition has half of a surrogate pair") from None
        what = "has a NUL character" if isinstance(error, ValueError) else "is nested too deeply"
        refuse(what, line.replace("\0", "\\0"))


def _advice(line: str) -> str:
    """What somebody who knows SQL, or another language, should write."""
    words = line.split()
    for wrong, right in (("AND", "and"), ("OR", "or"), ("NOT", "not"), ("IN", "in")):
        if wrong in words:
            return f"write `{right}`, in small letters"
    for wrong, right in (("&&", "and"), ("||", "or"), ("<>", "!="), ("`", "[...], with quotes")):
        if wrong in line:
            return f"write `{right}` instead of `{wrong}`"
    lowered = [word.lower() for word in words]
    if "like" in lowered or "ilike" in lowered:
        return "write `contains(name, 'text')`, `startswith(...)` or `endswith(...)`"
    if "=" in line.replace("==", "").replace("!=", "").replace("<=", "").replace(">=", ""):
        return "write `==` to compare"
    return "a name that is no plain word is written metrics['val-loss']"


class _Reader:
    """Turns a tree into a condition, and counts its parts."""

    def __init__(self, line: str, now: float) -> None:
        self.line = line
        self.now = now
        self.parts = 0

    def condition(self, node: ast.expr, depth: int) -> Condition:
        """The condition that a node is."""
        if depth > DEEPEST:
            refuse(f"is nested more than {DEEPEST} deep", self.line)
        if isinstance(node, ast.BoolOp):
            parts = tuple(self.condition(value, depth + 1) for value in node.values)
            return All(parts) if isinstance(node.op, ast.And) else Some(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Not(self.condition(node.operand, depth + 1))
        if isinstance(node, ast.Compare):
            return self._compare(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        self._count(node)
        field = field_of(node, self.line)
        if field is not None and field.name.startswith("tags."):
            return Present(field)
        said = f"`{field}` has to be compared with something" if field else "is no condition"
        hint = f"for example `{field or 'metrics.accuracy'} > 0.9`; `and`, `or`, `not` join them"
        refuse(said, self.line, node, hint=hint)

    def _count(self, node: ast.AST, more: int = 1) -> None:
        self.parts += more
        if self.parts > MOST_PARTS:
            refuse(f"has more than {MOST_PARTS} comparisons", self.line, node)

    def _compare(self, node: ast.Compare) -> Condition:
        sides = [node.left, *node.comparators]
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        found = tuple(self._pair(left, sign, right) for left, sign, right in pairs)
        return found[0] if len(found) == 1 else All(found)

    def _pair(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> Condition:
        self._count(left)
        one, other = field_of(left, self.line, words=True), field_of(right, self.line, words=True)
        if isinstance(sign, ast.In | ast.NotIn):
            return self._among(left, one, right, other, isinstance(sign, ast.NotIn))
        if one is None and other is None:
            for side in (left, right):
                field_of(side, self.line)  # a name that is none is what is wrong
            refuse(
                "compares nothing that a run has",
                self.line,
                left,
                hint=f"one side has to be a name of a run: {', '.join(NAMES)}",
            )
        if one is None or other is None:
            field, value = (one, right) if one is not None else (other, left)
            assert field is not None
            return self._with_constant(field, sign, value, turned=one is None)
        if isinstance(sign, ast.Is | ast.IsNot):
            refuse("`is` goes with None only", self.line, right, hint="write `==` or `!=`")
        if not literals.comparable(one, other):
            said = f"compares {literals.described(one)} with {literals.described(other)}"
            refuse(said, self.line, right)
        return Compare(one, _SIGNS[type(sign)], other)

    def _with_constant(
        self, field: Field, sign: ast.cmpop, value: ast.expr, *, turned: bool
    ) -> Condition:
        if isinstance(value, ast.Constant) and value.value is None:
            if isinstance(sign, ast.Is | ast.Eq):
                return Not(Present(field))
            if isinstance(sign, ast.IsNot | ast.NotEq):
                return Present(field)
            refuse("None has no order", self.line, value, hint="write `is None` or `is not None`")
        if isinstance(sign, ast.Is | ast.IsNot):
            refuse("`is` goes with None only", self.line, value, hint="write `==` or `!=`")
        text = _SIGNS[type(sign)]
        constant = literals.constant(field, value, self._place)
        return Compare(field, _TURNED[text] if turned else text, constant)

    @property
    def _place(self) -> Place:
        return Place(self.line, self.now)

    def _among(
        self, left: ast.expr, one: Field | None, right: ast.expr, other: Field | None, no: bool
    ) -> Condition:
        if other is not None:  # 'text' in note
            return self._contained(left, right, other, no)
        if one is None or not isinstance(right, ast.List | ast.Tuple | ast.Set):
            hint = "write `status in ['failed', 'cancelled']`, or `'text' in note`"
            refuse("`in` needs a name and a list", self.line, right, hint=hint)
        self._count(right, len(right.elts))
        values = [literals.constant(one, item, self._place) for item in right.elts]
        if no:
            return All((Present(one), *(Compare(one, "!=", value) for value in values)))
        return Some(tuple(Compare(one, "==", value) for value in values))

    def _contained(self, left: ast.expr, right: ast.expr, field: Field, no: bool) -> Condition:
        found = self._matches(field, "contains", left, right)
        return All((Present(field), Not(found))) if no else found

    def _matches(self, field: Field, how: str, node: ast.expr, place: ast.expr) -> Condition:
        if not literals.has_text(field):
            refuse(f"{literals.described(field)} has no text to search in", self.line, place)
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or not node.value:
            refuse("searches for something that is not a text", self.line, node)
        return Matches(field, how, literals.checked_text(node.value, node, self.line))

    def _call(self, node: ast.Call) -> Condition:
        self._count(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        calls: dict[str, Callable[[ast.Call, str], Condition]] = {
            "contains": self._search, "startswith": self._search, "endswith": self._search,
            "isnan": self._isnan,
        }  # fmt: skip
        if name == "ago":
            refuse("`ago` is a time, to be compared", self.line, node, hint="created > ago('7d')")
        if name not in calls:
            near = get_close_matches(name, FUNCTIONS, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"functions: {', '.join(FUNCTIONS)}"
            refuse("only a few functions are known", self.line, node, hint=hint)
        return calls[name](node, name)

    def _search(self, node: ast.Call, name: str) -> Condition:
        if len(node.args) != 2 or node.keywords:
            self._misused(node, f"{name}(tags.owner, 'an')")
        field = field_of(node.args[0], self.line)
        if field is None:
            self._misused(node, f"{name}(tags.owner, 'an')")
        return self._matches(field, name, node.args[1], node.args[0])

    def _isnan(self, node: ast.Call, _name: str) -> Condition:
        field = field_of(node.args[0], self.line) if len(node.args) == 1 else None
        if field is None or node.keywords or not field.name.startswith(("metrics.", "params.")):
            self._misused(node, "isnan(metrics.loss)")
        return IsNan(field)

    def _misused(self, node: ast.Call, example: str) -> NoReturn:
        refuse("the function is given the wrong things", self.line, node, hint=f"write {example}")
