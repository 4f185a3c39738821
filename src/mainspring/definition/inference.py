"""The type of an expression, worked out from the types of what it refers to."""

from __future__ import annotations

import ast
import difflib
import types as python
import typing
from collections.abc import Callable
from typing import Any, cast

from mainspring.definition import types
from mainspring.definition.assignability import (
    assignable,
    element_of,
    is_data,
    is_numpy_scalar,
    overlaps,
)
from mainspring.definition.types import NoneType, inherits, is_unknown, members
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import Expression, Reference
from mainspring.records.grammar import Path, path_of, refusal

TypeOf = Callable[[Reference], Any]

_WORDS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**", ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">",
    ast.GtE: ">=", ast.In: "in", ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not",
}  # fmt: skip
_IN_A_STEP = "only JSON data can be looked into or computed with: do it inside a step"
_FIXED: dict[str, Any] = {
    "len": int, "str": str, "int": int, "float": float, "bool": bool, "any": bool, "all": bool,
}  # fmt: skip


def infer(expression: Expression, type_of: TypeOf, *, where: str = "") -> Any:
    """Return the annotation of an expression's value.

    `type_of` gives that of a reference. Raises DefinitionError for what can't work: arithmetic on
    text, a comparison that can never hold or fail, a look into a value that is no JSON data.
    """
    return _Inference(expression.text, type_of, where).infer(expression.tree)


def descend(annotation: Any, key: str | int) -> Any:
    """Return the type of `value.key` or `value[key]`. Raises DefinitionError (without a place)."""
    found: list[Any] = []
    problem: DefinitionError | None = None
    for member in members(annotation):
        if member is NoneType:
            continue
        try:
            found.append(_into(member, key))
        except DefinitionError as error:
            problem = error
    if problem is not None and not found:
        raise problem
    return types.union(found)


def _into(annotation: Any, key: str | int) -> Any:
    kind = types.class_of(annotation)
    if is_unknown(annotation) or kind is None:
        return Any
    named = types.fields_of(annotation)
    if named is not None and isinstance(key, str):
        return named[key] if key in named else _no_field(annotation, key, list(named))
    if inherits(kind, list, tuple) or kind.__module__ == "collections.abc":
        if isinstance(key, int):
            return _element(annotation, key)
    elif inherits(kind, str) and isinstance(key, int):
        return str
    elif is_data(annotation) and inherits(kind, dict) and isinstance(key, str):
        args = typing.get_args(annotation)
        return args[1] if len(args) == 2 else Any
    if not is_data(annotation):
        raise DefinitionError(f"{types.text(annotation)} has no `{key}` here", hint=_IN_A_STEP)
    raise DefinitionError(f"{types.text(annotation)} has no {key!r}")


def _element(annotation: Any, index: int) -> Any:
    parts = types.tuple_parts(annotation)
    if parts is None:
        return element_of(annotation)
    if -len(parts) <= index < len(parts):
        return parts[index]
    raise DefinitionError(f"{types.text(annotation)} has no element {index}")


def _no_field(annotation: Any, key: str, names: list[str]) -> Any:
    near = difflib.get_close_matches(key, names, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"it has {', '.join(names)}"
    raise DefinitionError(f"{types.text(annotation)} has no `{key}`", hint=hint)


class _Inference:
    def __init__(self, text: str, type_of: TypeOf, where: str) -> None:
        self._text = text
        self._type_of = type_of
        self._where = where

    def infer(self, node: ast.expr) -> Any:
        found = path_of(node)
        if found is not None:
            return self._reference(found, node)
        handler = self._kinds.get(type(node))
        return Any if handler is None else handler(self, node)

    def _bad(self, node: ast.AST, what: str, hint: str | None = None) -> DefinitionError:
        return refusal(what, self._text, node, where=self._where, hint=hint)

    def _reference(self, found: Path, node: ast.expr) -> Any:
        try:
            return self._type_of(Reference(found.root, found.name, found.path))
        except DefinitionError as error:
            raise self._bad(node, error.what, error.hint) from None

    def _data(self, node: ast.expr) -> Any:
        annotation = self.infer(node)
        if not is_data(annotation):
            shown = types.text(annotation)
            raise self._bad(node, f"`{ast.unparse(node)}` is {shown}, not JSON data", _IN_A_STEP)
        return annotation

    def _constant(self, node: ast.Constant) -> Any:
        if node.value is None or isinstance(node.value, float):
            return type(node.value)
        return typing.Literal[cast(Any, node.value)]

    def _list(self, node: ast.List) -> Any:
        element = types.union([self.infer(item) for item in node.elts])
        return python.GenericAlias(list, (element,)) if node.elts else list

    def _tuple(self, node: ast.Tuple) -> Any:
        parts = tuple(self.infer(item) for item in node.elts)
        return python.GenericAlias(tuple, parts) if parts else tuple

    def _dict(self, node: ast.Dict) -> Any:
        value = types.union([self.infer(item) for item in node.values])
        return python.GenericAlias(dict, (str, value)) if node.values else dict

    def _attribute(self, node: ast.Attribute) -> Any:
        return self._key(node, node.value, node.attr)

    def _subscript(self, node: ast.Subscript) -> Any:
        if isinstance(node.slice, ast.Slice):
            value = self._data(node.value)
            return types.union([self._sliced(node, member) for member in members(value)])
        if isinstance(node.slice, ast.Constant) and type(node.slice.value) in (str, int):
            return self._key(node, node.value, cast("str | int", node.slice.value))
        self._data(node.slice)
        value = self._data(node.value)
        args = typing.get_args(value)
        return args[1] if types.class_of(value) is dict and len(args) == 2 else element_of(value)

    def _sliced(self, node: ast.AST, annotation: Any) -> Any:
        kind = types.class_of(annotation)
        if kind is None or is_unknown(annotation):
            return Any
        if inherits(kind, str):
            return str
        if not (inherits(kind, list, tuple) or kind.__module__ == "collections.abc"):
            raise self._bad(node, f"{types.text(annotation)} can't be sliced")
        element = element_of(annotation)
        return list if is_unknown(element) else python.GenericAlias(list, (element,))

    def _key(self, node: ast.expr, inner: ast.expr, key: str | int) -> Any:
        try:
            return descend(self._data(inner), key)
        except DefinitionError as error:
            if error.where or error.what.startswith("expression "):
                raise
            raise self._bad(node, error.what, error.hint) from None

    def _unary(self, node: ast.UnaryOp) -> Any:
        annotation = self._data(node.operand)
        if isinstance(node.op, ast.Not):
            return bool
        return self._number(node.operand, annotation)

    def _number(self, node: ast.expr, annotation: Any) -> Any:
        kinds = {_numeric(member) for member in members(annotation)} - {NoneType}
        if not kinds or kinds == {str}:
            shown = types.text(annotation)
            raise self._bad(node, f"`{ast.unparse(node)}` is {shown}, a number is needed")
        return kinds.pop() if len(kinds) == 1 else Any

    def _binary(self, node: ast.BinOp) -> Any:
        left, right = self._data(node.left), self._data(node.right)
        if isinstance(node.op, ast.Add | ast.Mult):
            joined = _joined(node.op, left, right)
            if joined is not None:
                return joined
        word = _WORDS.get(type(node.op), "?")
        kinds = {
            self._operand(node, word, side, found) for side, found in _sides(node, left, right)
        }
        if isinstance(node.op, ast.Div):
            return float
        if isinstance(node.op, ast.Pow):
            return Any
        return Any if Any in kinds else float if float in kinds else int

    def _operand(self, node: ast.BinOp, word: str, side: ast.expr, annotation: Any) -> Any:
        kinds = {_numeric(member) for member in members(annotation)} - {NoneType}
        if kinds <= {str}:
            shown = f"`{ast.unparse(side)}` is {types.text(annotation)}"
            raise self._bad(node, f"{shown}, `{word}` needs numbers")
        return kinds.pop() if len(kinds) == 1 else Any

    def _boolean(self, node: ast.BoolOp) -> Any:
        return types.union([_widened(self._data(item)) for item in node.values])

    def _choice(self, node: ast.IfExp) -> Any:
        self._data(node.test)
        return types.union([self.infer(node.body), self.infer(node.orelse)])

    def _call(self, node: ast.Call) -> Any:
        given = [self._data(item) for item in node.args]
        name = cast(ast.Name, node.func).id
        if not given:
            raise self._bad(node, f"`{name}()` needs an argument")
        if name in _FIXED:
            return _FIXED[name]
        if name in ("abs", "round"):
            return self._number(node.args[0], given[0]) if name == "abs" else Any
        wide = [element_of(given[0])] if len(given) == 1 else given
        return types.union([_widened(item) for item in wide])

    def _compare(self, node: ast.Compare) -> Any:
        left_node = node.left
        for kind, right_node in zip(node.ops, node.comparators, strict=True):
            self._compare_two(node, kind, left_node, right_node)
            left_node = right_node
        return bool

    def _compare_two(
        self, node: ast.Compare, kind: ast.cmpop, left: ast.expr, right: ast.expr
    ) -> None:
        a, b = self._data(left), self._data(right)
        word = _WORDS[type(kind)]
        shown = f"`{ast.unparse(left)}` is {types.text(a)}"
        if isinstance(kind, ast.In | ast.NotIn):
            if not _may_contain(b, a):
                raise self._bad(node, f"{shown}, it can never be in `{ast.unparse(right)}`")
        elif isinstance(kind, ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
            if not overlaps(a, b):
                constant = "true" if isinstance(kind, ast.NotEq | ast.IsNot) else "false"
                what = f"it can never equal `{ast.unparse(right)}`: this is always {constant}"
                raise self._bad(node, f"{shown}, {what}")
        elif not _ordered(a, b):
            other = f"`{ast.unparse(right)}` {types.text(b)}"
            raise self._bad(node, f"{shown} and {other}: `{word}` can't compare them")

    _kinds: dict[type[ast.expr], Any] = {
        ast.Constant: _constant,
        ast.List: _list,
        ast.Tuple: _tuple,
        ast.Dict: _dict,
        ast.Attribute: _attribute,
        ast.Subscript: _subscript,
        ast.UnaryOp: _unary,
        ast.BinOp: _binary,
        ast.BoolOp: _boolean,
        ast.Compare: _compare,
        ast.IfExp: _choice,
        ast.Call: _call,
    }


def _sides(node: ast.BinOp, left: Any, right: Any) -> list[tuple[ast.expr, Any]]:
    return [(node.left, left), (node.right, right)]


def _widened(annotation: Any) -> Any:
    """Return a literal type's plain type: `Literal[1]` is int."""
    if typing.get_origin(annotation) is typing.Literal:
        values = [getattr(v, "value", v) for v in typing.get_args(annotation)]
        return types.union([type(value) for value in values])
    return annotation


def _numeric(annotation: Any) -> Any:
    """Return int or float for a number, Any for what may be one, NoneType for None, else str."""
    annotation = _widened(annotation)
    if is_unknown(annotation) or len(members(annotation)) > 1:
        return Any
    kind = types.class_of(annotation)
    if kind is NoneType:
        return NoneType
    if kind in (bool, int) or inherits(kind, int):
        return int
    if inherits(kind, float):
        return float
    return Any if kind is None or is_numpy_scalar(kind) else str


def _joined(operator: ast.operator, left: Any, right: Any) -> Any:
    """Return the type of text + text, list + list or text * int; None for anything else."""
    a, b = (types.class_of(_widened(side)) for side in (left, right))
    if any(is_unknown(side) or _mixed(side) for side in (left, right)):
        return Any
    if isinstance(operator, ast.Mult):
        return str if (inherits(a, str) and b is int) or (a is int and inherits(b, str)) else None
    if inherits(a, str) and inherits(b, str):
        return str
    if a is b and inherits(a, list):
        element = types.union([element_of(left), element_of(right)])
        return list if is_unknown(element) else python.GenericAlias(list, (element,))
    return tuple if a is b and inherits(a, tuple) else None


def _mixed(annotation: Any) -> bool:
    """Say whether a value may be one of several kinds, not all of them numbers."""
    parts = members(annotation)
    return len(parts) > 1 and any(_numeric(part) in (Any, str) for part in parts)


def _may_contain(container: Any, item: Any) -> bool:
    for member in members(container):
        kind = types.class_of(_widened(member))
        if kind is None or is_unknown(member):
            return True
        if inherits(kind, str):
            if any(assignable(_widened(part), str) for part in members(item)):
                return True
        elif (hasattr(kind, "__contains__") and member in (list, tuple, dict)) or overlaps(
            element_of(member), item
        ):
            return True
    return False


def _ordered(left: Any, right: Any) -> bool:
    """Say whether `<` may work: both numbers, both text, or both lists."""
    return any(
        _rank(a) is None or _rank(b) is None or _rank(a) == _rank(b) != "none"
        for a in members(left)
        for b in members(right)
    )


def _rank(annotation: Any) -> str | None:
    number = _numeric(annotation)
    if number is Any:
        return None
    if number is not str:
        return "none" if number is NoneType else "number"
    kind = types.class_of(_widened(annotation))
    return "text" if inherits(kind, str) else "list" if inherits(kind, list, tuple) else "none"
