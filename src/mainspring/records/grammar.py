"""The closed list of what an expression may contain; everything else is refused by name."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator

from mainspring.records.errors import DefinitionError

ROOTS = ("steps", "parameters", "outputs", "datasets", "models")
FUNCTIONS = (
    "len", "min", "max", "sum", "abs", "round", "str", "int", "float", "bool", "any", "all",
)  # fmt: skip

MAX_NODES = 100_000
MAX_DEPTH = 100
MAX_LITERAL_BITS = 10_000  # Python writes no longer whole numbers as text (4,300 digits)

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_UNARY = (ast.USub, ast.UAdd, ast.Not)
_COMPARISONS = (
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot,
)  # fmt: skip
_PLAIN = (
    ast.List, ast.Tuple, ast.BoolOp, ast.Compare, ast.IfExp, ast.Subscript, ast.Slice,
    ast.And, ast.Or, ast.Load, *_OPERATORS, *_UNARY, *_COMPARISONS,
)  # fmt: skip
_WORDS: dict[type[ast.AST], str] = {
    ast.Lambda: "lambda",
    ast.JoinedStr: "an f-string",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.Set: "a set",
    ast.Starred: "*",
    ast.NamedExpr: ":=",
    ast.Await: "await",
    ast.BitAnd: "& (write `and`)",
    ast.BitOr: "| (write `or`)",
    ast.Invert: "~ (write `not`)",
}


class Path:
    """A reference found in a tree: `steps.split.x[0]` is root steps, name split, path (x, 0)."""

    __slots__ = ("name", "path", "root")

    def __init__(self, root: str, name: str, path: tuple[str | int, ...]) -> None:
        self.root = root
        self.name = name
        self.path = path


def refusal(
    message: str,
    text: str,
    node: ast.AST | None = None,
    *,
    where: str = "",
    hint: str | None = None,
) -> DefinitionError:
    """Return the error for a part of an expression, with its text and column (from 1)."""
    column = getattr(node, "col_offset", None)
    place = "" if column is None else f" (column {column + 1})"
    shown = text if len(text) <= 200 else text[:197] + "..."
    return DefinitionError(
        f"expression `{shown}`: {message}{place}", where=where or None, hint=hint
    )


def segment(node: ast.expr) -> str | int | None:
    """Return the constant text or integer that a subscript is, or None when it is computed."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = segment(node.operand)
        return -inner if isinstance(inner, int) else None
    if isinstance(node, ast.Constant) and type(node.value) in (str, int):
        return node.value  # pyright: ignore[reportReturnType]
    return None


def path_of(node: ast.AST) -> Path | None:
    """Return the reference that `node` is as a whole, or None."""
    parts: list[str | int] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
        elif isinstance(node, ast.Subscript) and (key := segment(node.slice)) is not None:
            parts.append(key)
        else:
            return None
        node = node.value
    if node.id not in ROOTS or not parts:
        return None
    name = parts.pop()
    return Path(node.id, name, tuple(reversed(parts))) if isinstance(name, str) else None


def children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a node that are expressions of their own: a call's function is not one."""
    if isinstance(node, ast.Call):
        yield from node.args
    else:
        yield from ast.iter_child_nodes(node)


def check(tree: ast.expr, text: str, where: str) -> None:
    """Refuse what is not in the closed list, or is too large. Iterative: depth can't hurt it."""
    waiting: list[tuple[ast.AST, int]] = [(tree, 1)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH:
            raise refusal(f"is nested more than {MAX_DEPTH} deep", text, where=where)
        if count > MAX_NODES:
            raise refusal(f"has more than {MAX_NODES:,} parts", text, where=where)
        problem = _problem(node)
        if problem:
            raise refusal(problem[0], text, node, where=where, hint=problem[1])
        if path_of(node) is not None and isinstance(node, ast.Attribute | ast.Subscript):
            # The chain is walked for its attribute names only: its end is a root, not a value.
            inner = node.value
            if not isinstance(inner, ast.Name):
                waiting.append((inner, depth + 1))
            continue
        waiting.extend((child, depth + 1) for child in children(node))


def _problem(node: ast.AST) -> tuple[str, str | None] | None:
    """Say what is wrong with a node itself, and what to do; None when it is allowed."""
    if isinstance(node, ast.Constant):
        return _wrong_literal(node.value)
    if isinstance(node, ast.Name):
        return _unknown_name(node.id)
    if isinstance(node, ast.Attribute):
        return ("names that start with `_` are private", None) if node.attr[0] == "_" else None
    if isinstance(node, ast.Call):
        return _wrong_call(node)
    if isinstance(node, ast.Dict):
        return ("`**` is not allowed", None) if None in node.keys else None
    if isinstance(node, ast.BinOp | ast.UnaryOp):
        word = _WORDS.get(type(node.op))
        return (f"{word} is not allowed here", None) if word else None
    if isinstance(node, _PLAIN):
        return None
    word = _WORDS.get(type(node), type(node).__name__)
    return f"{word} is not allowed here", "only data, operators and a few functions are"


def _wrong_literal(value: object) -> tuple[str, str | None] | None:
    if isinstance(value, int) and value.bit_length() > MAX_LITERAL_BITS:
        return "the number has too many digits", None
    if value is None or isinstance(value, bool | int | float | str):
        return None
    return f"{type(value).__name__} values are not JSON", None


def _unknown_name(name: str) -> tuple[str, str | None]:
    if name in ROOTS:
        return f"`{name}` needs a name after it", f"write `{name}.NAME`"
    if name in FUNCTIONS:
        return f"`{name}` is a function", f"call it: `{name}(...)`"
    near = difflib.get_close_matches(name, [*ROOTS, *FUNCTIONS], 1)
    hint = f"did you mean `{near[0]}`?" if near else "text needs quotes; values are steps.NAME or "
    return f"unknown name `{name}`", hint if near else hint + "parameters.NAME"


def _wrong_call(node: ast.Call) -> tuple[str, str | None] | None:
    known = ", ".join(FUNCTIONS)
    if not isinstance(node.func, ast.Name):
        return "only functions can be called, not methods", f"functions: {known}"
    if node.func.id not in FUNCTIONS:
        near = difflib.get_close_matches(node.func.id, FUNCTIONS, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"functions: {known}"
        return f"unknown function `{node.func.id}`", hint
    if node.keywords:
        return f"`{node.func.id}` takes no named arguments", None
    return None
