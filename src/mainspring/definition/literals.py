"""Plain Python values written into a spec: as JSON, or refused where that can't be."""

from __future__ import annotations

import ast
import enum
from collections.abc import Mapping
from typing import Any, cast

from mainspring.definition import types
from mainspring.definition.assignability import accepts, has_odd_float, is_path, revive
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import Expression, binding_of, escape, from_tree

_MAX_DEPTH = 90
_HINT = "make it in a step and pass the step's result"


def plain(value: Any, *, where: str = "", depth: int = 0) -> Any:
    """Return the JSON form of a value: a path as text, an Enum member as its value, a tuple as a
    list. Raises DefinitionError for what JSON can't say."""
    if depth > _MAX_DEPTH:
        raise DefinitionError(
            f"a value is nested more than {_MAX_DEPTH} deep", where=where or None, hint=_HINT
        )
    if isinstance(value, enum.Enum):
        return plain(value.value, where=where, depth=depth + 1)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | str):
        return _scalar(value, where)
    if isinstance(value, list | tuple | range):
        items = cast("list[Any]", value)
        return [plain(item, where=where, depth=depth + 1) for item in items]
    if isinstance(value, dict):
        return _table(cast("Mapping[Any, Any]", value), where, depth)
    return _other(value, where, depth)


def _scalar(value: int | float | str, where: str) -> Any:
    if isinstance(value, str):
        _check_text(value, where)
        return str(value)
    if isinstance(value, float):
        return float(value)
    if not -(2**63) <= value < 2**64:
        raise DefinitionError("an integer has more than 64 bits", where=where or None, hint=_HINT)
    return int(value)


def _check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DefinitionError(
            "a text has half of a surrogate pair, which is no character", where=where or None
        ) from None


def _table(value: Mapping[Any, Any], where: str, depth: int) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise DefinitionError(
                f"a dict has the key {key!r}: keys must be text", where=where or None, hint=_HINT
            )
        _check_text(key, where)
    return {
        str(key): plain(item, where=where, depth=depth + 1) for key, item in value.items()
    }  # fmt: skip


def _other(value: Any, where: str, depth: int) -> Any:
    kind = cast(Any, type(value))
    if is_path(kind):
        return str(value)
    if kind.__module__ == "numpy" and getattr(value, "shape", None) == ():
        return plain(value.item(), where=where, depth=depth + 1)
    raise DefinitionError(
        f"a value of type {types.text(kind)} can't be written as JSON",
        where=where or None,
        hint=_HINT,
    )


def encode(value: Any, annotation: Any, label: str, *, where: str = "") -> Any:
    """Return the binding of a plain value for a port. Raises DefinitionError when it can't be
    written, or is of the wrong type; `label` names the port."""
    try:
        data = plain(value, where=where)
    except DefinitionError as error:
        raise DefinitionError(
            f"{label}: {error.what}", where=error.where, hint=error.hint
        ) from None
    if not accepts(data, annotation):
        raise DefinitionError(
            f"{label} is {types.text(annotation)}, but {_shown(value)} is {_kind(value)}",
            where=where or None,
        )
    if _needs_reviving(value) and revive(data, annotation) != value:
        name = type(value).__name__
        raise DefinitionError(
            f"{label}: a {name} would arrive as {_kind(data)}",
            where=where or None,
            hint="annotate the input with the type that it should be",
        )
    if has_odd_float(data):
        return binding_of(from_tree(tree_of(data), where=where))
    return escaped(data)


def default(value: Any, annotation: Any, label: str, *, where: str = "") -> Any:
    """Return the JSON data of a parameter's default. Raises DefinitionError."""
    encode(value, annotation, label, where=where)
    data = plain(value, where=where)
    if has_odd_float(data):
        raise DefinitionError(f"{label} is {value!r}, which JSON can't say", where=where or None)
    return data


def _needs_reviving(value: Any) -> bool:
    if isinstance(value, enum.Enum):
        return True
    if isinstance(value, list | tuple):
        return any(_needs_reviving(item) for item in cast("list[Any]", value))
    if isinstance(value, dict):
        return any(_needs_reviving(item) for item in cast("dict[str, Any]", value).values())
    return is_path(type(value))


def escaped(data: Any) -> Any:
    """Return the binding of JSON data: text that looks like an expression escaped, at any depth."""
    if isinstance(data, list):
        return [escaped(item) for item in cast("list[Any]", data)]
    if isinstance(data, dict):
        return {key: escaped(item) for key, item in cast("dict[str, Any]", data).items()}
    return escape(data)


def tree_of(data: Any) -> ast.expr:
    """Return the tree of JSON data as an expression."""
    if isinstance(data, list):
        return ast.List([tree_of(item) for item in cast("list[Any]", data)], ast.Load())
    if isinstance(data, dict):
        table = cast("dict[str, Any]", data)
        keys: list[ast.expr | None] = [ast.Constant(key) for key in table]
        return ast.Dict(keys, [tree_of(item) for item in table.values()])
    if has_odd_float(data):
        return ast.Call(ast.Name("float", ast.Load()), [ast.Constant(str(data))], [])
    return ast.Constant(data)


def constant(expression: Expression) -> tuple[Any] | None:
    """Return the JSON value that an expression is, in a tuple of one; None when it is none."""
    try:
        return (_constant(expression.tree),)
    except ValueError:
        return None


def _constant(tree: ast.expr) -> Any:
    if isinstance(tree, ast.Constant):
        if not has_odd_float(tree.value):
            return tree.value
    elif isinstance(tree, ast.List):
        return [_constant(item) for item in tree.elts]
    elif isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        value = _constant(tree.operand)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return -value
    elif isinstance(tree, ast.Dict):
        keys = [_constant(key) for key in tree.keys if key is not None]
        if all(isinstance(key, str) for key in keys):
            return dict(zip(keys, map(_constant, tree.values), strict=True))
    raise ValueError


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _kind(value: Any) -> str:
    return "None" if value is None else types.text(type(value))
