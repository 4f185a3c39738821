"""Computing an expression over plain data; every operation that could grow is bounded."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from mainspring.records.grammar import Path, path_of, refusal

MAX_BITS = 100_000
MAX_TEXT = 1_000_000
MAX_ITEMS = 1_000_000

Resolve = Callable[[Path], Any]


class _Bad(Exception):
    """What is wrong with an operation; turned into a DefinitionError with its place."""


def compute(tree: ast.expr, text: str, resolve: Resolve, where: str) -> Any:
    """Return the value of a checked tree. Raises DefinitionError with the place of a fault."""
    return _Evaluator(text, resolve, where).value(tree)


def step_into(value: Any, key: Any) -> Any:
    """Return `value[key]`, where an attribute of a mapping is its key. Raises KeyError."""
    if isinstance(value, Mapping):
        table = cast("Mapping[Any, Any]", value)
        if key in table:
            return table[key]
        names = ", ".join(_shown(name) for name in list(table)[:8])
        raise KeyError(f"there is no {_shown(key)} in it (it has {names or 'nothing'})")
    if not isinstance(value, Sequence) or not isinstance(key, int):
        raise KeyError(f"a {type(cast(object, value)).__name__} has no {_shown(key)}")
    items = cast("Sequence[Any]", value)
    if -len(items) <= key < len(items):
        return items[key]
    raise KeyError(f"there is no element {_shown(key)}: it has {len(items)}")


def _shown(key: Any) -> str:
    """A key as it stands in an error: short, whatever it is."""
    if isinstance(key, int) and key.bit_length() > 64:
        return "with such a number"
    text = repr(key)
    return text if len(text) <= 60 else text[:57] + "..."


class _Evaluator:
    def __init__(self, text: str, resolve: Resolve, where: str) -> None:
        self._text = text
        self._resolve = resolve
        self._where = where

    def value(self, node: ast.expr) -> Any:
        found = path_of(node)
        try:
            if found is not None:
                return self._resolve(found)
            return self._kinds[type(node)](self, node)
        except KeyError as error:
            raise refusal(str(error.args[0]), self._text, node, where=self._where) from None
        except OverflowError:
            what = "the result is too large"
            raise refusal(what, self._text, node, where=self._where) from None
        except MemoryError:
            what = "the result does not fit into memory"
            raise refusal(what, self._text, node, where=self._where) from None
        except (_Bad, ArithmeticError, ValueError, TypeError) as error:
            raise refusal(str(error), self._text, node, where=self._where) from None

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _list(self, node: ast.List) -> Any:
        return [self.value(item) for item in node.elts]

    def _tuple(self, node: ast.Tuple) -> Any:
        return tuple(self.value(item) for item in node.elts)

    def _dict(self, node: ast.Dict) -> Any:
        made: dict[str, Any] = {}
        for key, item in zip(node.keys, node.values, strict=True):
            name = self.value(cast(ast.expr, key))
            if not isinstance(name, str):
                raise _Bad(f"a key must be text, not {type(name).__name__}")
            made[name] = self.value(item)
        return made

    def _attribute(self, node: ast.Attribute) -> Any:
        return step_into(self.value(node.value), node.attr)

    def _subscript(self, node: ast.Subscript) -> Any:
        value = self.value(node.value)
        if not isinstance(node.slice, ast.Slice):
            return step_into(value, self.value(node.slice))
        if not isinstance(value, str | list | tuple):
            raise _Bad(f"a {type(value).__name__} can't be sliced")
        ends = (node.slice.lower, node.slice.upper, node.slice.step)
        part = slice(*(None if end is None else self.value(end) for end in ends))
        return cast("Sequence[Any]", value)[part]

    def _unary(self, node: ast.UnaryOp) -> Any:
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return not value
        _numbers(value)
        return -value if isinstance(node.op, ast.USub) else +value

    def _binary(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        return _BINARY[type(node.op)](left, right)

    def _boolean(self, node: ast.BoolOp) -> Any:
        ends_on = isinstance(node.op, ast.Or)
        value: Any = None
        for item in node.values:
            value = self.value(item)
            if bool(value) is ends_on:
                break
        return value

    def _compare(self, node: ast.Compare) -> Any:
        left = self.value(node.left)
        for kind, item in zip(node.ops, node.comparators, strict=True):
            right = self.value(item)
            if not _COMPARE[type(kind)](left, right):
                return False
            left = right
        return True

    def _choice(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _call(self, node: ast.Call) -> Any:
        values = [self.value(item) for item in node.args]
        return _bounded(_FUNCTIONS[cast(ast.Name, node.func).id](*values))

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


def _numbers(*values: Any) -> None:
    for value in values:
        if not isinstance(value, int | float):
            raise _Bad(f"a number is needed, not {type(value).__name__}")


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise _Bad("the number is too large")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise _Bad("the text is too long")
    return value


_JOINED: tuple[tuple[Any, int, str], ...] = (
    (str, MAX_TEXT, "text"),
    (list, MAX_ITEMS, "list"),
    (tuple, MAX_ITEMS, "tuple"),
)


def _add(left: Any, right: Any) -> Any:
    for kind, most, word in _JOINED:
        if isinstance(left, kind) and isinstance(right, kind):
            if len(left) + len(right) > most:
                raise _Bad(f"the {word} is too long")
            return left + right
    _numbers(left, right)
    return _bounded(left + right)


def _multiply(left: Any, right: Any) -> Any:
    if isinstance(right, str):
        left, right = right, left
    if isinstance(left, str) and isinstance(right, int):
        if len(left) * right > MAX_TEXT:
            raise _Bad("the text is too long")
        return left * right
    _numbers(left, right)
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())
    return _bounded(left * right)


def _check_bits(bits: int) -> None:
    if bits > MAX_BITS + 1:  # a product may have one bit less than its factors together
        raise _Bad("the number is too large")


def _power(left: Any, right: Any) -> Any:
    _numbers(left, right)
    whole = isinstance(left, int) and isinstance(right, int)
    if whole and right > 0 and left.bit_length() * right > MAX_BITS:
        raise _Bad("the power is too large")  # said before it is computed
    result = left**right
    if isinstance(result, complex):
        raise _Bad("the power has no real value")
    return result


def _arithmetic(action: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def run(left: Any, right: Any) -> Any:
        _numbers(left, right)
        return action(left, right)

    return run


def _contains(container: Any, item: Any) -> bool:
    if not isinstance(container, str | list | tuple | dict):
        raise _Bad(f"`in` needs a list, dict or text, not {type(container).__name__}")
    return item in cast("Any", container)


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _add,
    ast.Sub: _arithmetic(lambda left, right: left - right),
    ast.Mult: _multiply,
    ast.Div: _arithmetic(lambda left, right: left / right),
    ast.FloorDiv: _arithmetic(lambda left, right: left // right),
    ast.Mod: _arithmetic(lambda left, right: left % right),
    ast.Pow: _power,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    # `is` is for None and booleans; on other plain data identity has no meaning.
    ast.Is: lambda left, right: type(left) is type(right) and left == right,
    ast.IsNot: lambda left, right: not (type(left) is type(right) and left == right),
    ast.In: lambda left, right: _contains(right, left),
    ast.NotIn: lambda left, right: not _contains(right, left),
}


def _total(values: Any) -> Any:
    _numbers(*values)
    return sum(values)


def _text(value: Any) -> str:
    # A nested container could be far longer as text than the expression that made it.
    if value is not None and not isinstance(value, bool | int | float | str):
        raise _Bad(f"str() needs a number or text, not {type(value).__name__}")
    if isinstance(value, int) and value.bit_length() > 10_000:
        raise _Bad("the number is too large to be written as text")
    return str(value)


def _whole(*values: Any) -> int:
    if values and isinstance(values[0], str) and len(values[0]) > 3_000:
        raise _Bad("the text is too long for a number")
    return int(*values)


def _rounded(value: Any, digits: Any = None) -> Any:
    _numbers(value)
    # Python would compute ten to the power of the digits: in time and memory without bound.
    if isinstance(digits, int) and abs(digits) > MAX_BITS // 4:
        raise _Bad("round() to so many digits")
    return round(value) if digits is None else round(value, digits)


def _absolute(value: Any) -> Any:
    _numbers(value)
    return abs(value)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "len": len,
    "min": min,
    "max": max,
    "sum": _total,
    "abs": _absolute,
    "round": _rounded,
    "str": _text,
    "int": _whole,
    "float": float,
    "bool": bool,
    "any": any,
    "all": all,
}
