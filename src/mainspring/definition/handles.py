"""Handles: what stands for a value while a pipeline is traced; operations on them make expressions.

A handle has no public attribute of its own: `handle.name` is always the output or field `name`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, NoReturn, cast

from mainspring.definition.locations import location
from mainspring.definition.tracing import Graph
from mainspring.definition.values import Symbol, refused, tree_of, truth
from mainspring.records.expressions import reference


class Handle(Symbol):
    """A value that exists only when the pipeline runs."""

    __slots__ = ()
    __array_ufunc__ = None  # numpy must leave `array * handle` to us

    def __getattr__(self, name: str) -> Handle:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._into(name)

    def __getitem__(self, key: Any) -> Handle:
        if isinstance(key, str) or (isinstance(key, int) and not isinstance(key, bool)):
            return self._into(key)
        where = location()
        inside: ast.expr
        if isinstance(key, slice):
            part = cast("slice[Any, Any, Any]", key)
            ends = (part.start, part.stop, part.step)
            inside = ast.Slice(*(None if end is None else tree_of(end, where) for end in ends))
        else:
            inside = tree_of(key, where)
        return self._of(ast.Subscript(self._value(where), inside, ast.Load()), where)

    def __iter__(self) -> Iterator[Handle]:
        return iter(self._parts())

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<handle {ast.unparse(self._tree)}>"

    # -- what a handle can't do

    def __bool__(self) -> NoReturn:
        raise refused(
            "a handle has no truth value",
            "use `with when(...)`; for and, or, not write `&`, `|`, `~`, with each comparison in "
            "parentheses",
        )

    def __str__(self) -> NoReturn:
        raise refused("a handle can't be put into text", "make the text in a step, or use repr()")

    def __format__(self, spec: str) -> NoReturn:
        raise refused("a handle can't be put into text", "make the text in a step, or use repr()")

    def __len__(self) -> NoReturn:
        raise refused("a handle's length is not known before the run", "return it from a step")

    def __contains__(self, item: object) -> NoReturn:
        raise refused("`in` can't look into a handle", "compare in a step, or use `==`")

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise refused(
            f"`{ast.unparse(self._tree)}` is a value, not a function", "call it in a step"
        )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise refused("a handle can't be changed", "change the value in a step")

    def __setitem__(self, key: object, value: object) -> NoReturn:
        raise refused("a handle can't be changed", "change the value in a step")

    def __float__(self) -> NoReturn:
        raise refused(
            "a handle has no value before the run", "use it as it is, or convert in a step"
        )

    def __int__(self) -> NoReturn:
        raise refused(
            "a handle has no value before the run", "use it as it is, or convert in a step"
        )

    def __index__(self) -> NoReturn:
        raise refused(
            "a handle has no value before the run", "to repeat work per element use `.map`"
        )

    # -- comparisons

    def __eq__(self, other: object) -> Any:
        return self._compared(ast.Eq(), other)

    def __ne__(self, other: object) -> Any:
        return self._compared(ast.NotEq(), other)

    def __lt__(self, other: Any) -> Handle:
        return self._compared(ast.Lt(), other)

    def __le__(self, other: Any) -> Handle:
        return self._compared(ast.LtE(), other)

    def __gt__(self, other: Any) -> Handle:
        return self._compared(ast.Gt(), other)

    def __ge__(self, other: Any) -> Handle:
        return self._compared(ast.GtE(), other)

    # -- logic

    def __and__(self, other: Any) -> Handle:
        return self._logic(ast.And(), "&", self, other)

    def __rand__(self, other: Any) -> Handle:
        return self._logic(ast.And(), "&", other, self)

    def __or__(self, other: Any) -> Handle:
        return self._logic(ast.Or(), "|", self, other)

    def __ror__(self, other: Any) -> Handle:
        return self._logic(ast.Or(), "|", other, self)

    def __invert__(self) -> Handle:
        where = location()
        return self._of(ast.UnaryOp(ast.Not(), truth(self._graph, self, "~", where)), where)

    # -- arithmetic

    def __add__(self, other: Any) -> Handle:
        return self._operator(ast.Add(), self, other)

    def __radd__(self, other: Any) -> Handle:
        return self._operator(ast.Add(), other, self)

    def __sub__(self, other: Any) -> Handle:
        return self._operator(ast.Sub(), self, other)

    def __rsub__(self, other: Any) -> Handle:
        return self._operator(ast.Sub(), other, self)

    def __mul__(self, other: Any) -> Handle:
        return self._operator(ast.Mult(), self, other)

    def __rmul__(self, other: Any) -> Handle:
        return self._operator(ast.Mult(), other, self)

    def __truediv__(self, other: Any) -> Handle:
        return self._operator(ast.Div(), self, other)

    def __rtruediv__(self, other: Any) -> Handle:
        return self._operator(ast.Div(), other, self)

    def __floordiv__(self, other: Any) -> Handle:
        return self._operator(ast.FloorDiv(), self, other)

    def __rfloordiv__(self, other: Any) -> Handle:
        return self._operator(ast.FloorDiv(), other, self)

    def __mod__(self, other: Any) -> Handle:
        return self._operator(ast.Mod(), self, other)

    def __rmod__(self, other: Any) -> Handle:
        return self._operator(ast.Mod(), other, self)

    def __pow__(self, other: Any) -> Handle:
        return self._operator(ast.Pow(), self, other)

    def __rpow__(self, other: Any) -> Handle:
        return self._operator(ast.Pow(), other, self)

    def __neg__(self) -> Handle:
        where = location()
        return self._of(ast.UnaryOp(ast.USub(), self._value(where)), where)

    def __pos__(self) -> Handle:
        where = location()
        return self._of(ast.UnaryOp(ast.UAdd(), self._value(where)), where)

    def __abs__(self) -> Handle:
        return self._function("abs")

    def __round__(self, digits: Any = None) -> Handle:
        return self._function("round") if digits is None else self._function("round", digits)


def parameter(graph: Graph, name: str) -> Any:
    """Return the handle of a pipeline's parameter."""
    return Handle(graph, reference("parameters", name))


def result(graph: Graph, name: str) -> Any:
    """Return the handle of a step's result."""
    return Handle(graph, reference("steps", name))
