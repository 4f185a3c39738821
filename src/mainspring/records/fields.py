"""The names that conditions on runs may use: `metrics.loss`, `params['my key']`, `status` ..."""

from __future__ import annotations

import ast
from difflib import get_close_matches
from typing import NoReturn

from mainspring.records.conditions import ANY, NUMBER, SECONDS, TEXT, TIME, Field
from mainspring.records.literals import checked_text, refuse

COLUMNS = {
    "id": TEXT, "pipeline": TEXT, "status": TEXT, "created": TIME, "started": TIME, "ended": TIME,
    "duration": SECONDS, "note": TEXT,
}  # fmt: skip
ROOTS = {
    "metrics": NUMBER, "params": ANY, "parameters": ANY, "data": TEXT, "models": TEXT, "tags": TEXT,
}  # fmt: skip
NAMES = ("metrics.NAME", "params.NAME", "data.NAME", "models.NAME", "tags.NAME", *COLUMNS)


def field_of(node: ast.expr, line: str, *, words: bool = False) -> Field | None:
    """The field that a node names, or None if it is something else.

    With `words`, single words that might stand for a text (`v3`, `failed`) are something else too.
    Raises SearchError for a name that no run has.
    """
    parts = _parts(node)
    if parts is None:
        return None
    root, *rest = parts
    for part in rest:
        checked_text(part, node, line)
    if root in COLUMNS and not rest:
        return Field("run", root, COLUMNS[root])
    if root in ROOTS and rest:
        name = "params" if root == "parameters" else root
        return Field("facts", ".".join([name, *rest]), ROOTS[root])
    if root == "tasks" and len(rest) >= 3 and rest[1] == "metrics":
        return Field("task", rest[0], NUMBER, ".".join(rest[2:]))
    if words and not rest and root not in ROOTS and root != "tasks":
        return None
    _refuse_name(parts, line, node)


def _parts(node: ast.expr) -> list[str] | None:
    """`metrics.val['top 5']` is ["metrics", "val", "top 5"]; None for what is no such chain."""
    parts: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
        elif (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            parts.append(node.slice.value)
        else:
            return None
        node = node.value
    return [node.id, *reversed(parts)]


def _refuse_name(parts: list[str], line: str, node: ast.expr) -> NoReturn:
    root = parts[0]
    if root in ROOTS and len(parts) == 1:
        refuse(f"`{root}` needs a name after it", line, node, hint=f"write `{root}.NAME`")
    if root == "tasks":
        refuse("`tasks` needs more", line, node, hint="write `tasks.train.metrics.loss`")
    if root in COLUMNS:
        refuse(f"`{root}` has no parts", line, node, hint=f"write `{root}` alone")
    near = get_close_matches(root, [*COLUMNS, *ROOTS], 1)
    names = f"names are {', '.join(NAMES)}; a text needs quotes"
    hint = f"did you mean `{near[0]}`?" if near else names
    refuse(f"unknown name `{root}`", line, node, hint=hint)
