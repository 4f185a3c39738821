"""What a handle stands for, as an expression, and the making of new ones from it, checked."""

from __future__ import annotations

import ast
from typing import Any, Self, cast

from mainspring.definition import literals, sources, types
from mainspring.definition.locations import location
from mainspring.definition.sources import Sourced
from mainspring.definition.tracing import Graph, current
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import Expression, extend, from_tree
from mainspring.records.grammar import path_of


class Symbol:
    """An expression in a graph; its tree is as it was made, before references are canonical."""

    __slots__ = ("_graph", "_tree")

    _graph: Graph
    _tree: ast.expr

    def __init__(self, graph: Graph, tree: ast.expr) -> None:
        # Not `self._graph = ...`: a handle refuses to be changed.
        object.__setattr__(self, "_graph", graph)
        object.__setattr__(self, "_tree", tree)

    def _of(self, tree: ast.expr, where: str) -> Self:
        """Return a symbol for a new expression, after checking that it can work."""
        found = self._graph.normal(from_tree(tree, where=where), where=where)
        self._graph.infer(found, where=where)
        return type(self)(self._graph, tree)

    def _value(self, where: str) -> ast.expr:
        """Return the canonical tree, which says a value: not a node with several outputs."""
        check_graph(self, where)
        return self._graph.normal(from_tree(self._tree, where=where), where=where).tree

    def _into(self, *keys: str | int) -> Self:
        where = location()
        check_graph(self, where)
        return self._of(extend(self._tree, keys), where)

    def _operator(self, kind: ast.operator, left: Any, right: Any) -> Self:
        where = location()
        return self._of(ast.BinOp(tree_of(left, where), kind, tree_of(right, where)), where)

    def _compared(self, kind: ast.cmpop, other: object) -> Self:
        where = location()
        right = tree_of(_plain_enum(other), where)
        return self._of(ast.Compare(self._value(where), [kind], [right]), where)

    def _logic(self, kind: ast.boolop, word: str, left: Any, right: Any) -> Self:
        where = location()
        sides = [truth(self._graph, side, word, where) for side in (left, right)]
        return self._of(ast.BoolOp(kind, sides), where)

    def _function(self, name: str, *more: Any) -> Self:
        where = location()
        given = [self._value(where), *(tree_of(item, where) for item in more)]
        return self._of(ast.Call(ast.Name(name, ast.Load()), given, []), where)

    def _parts(self) -> list[Self]:
        """Return what a tuple-like value unpacks into. Raises DefinitionError."""
        where = location()
        check_graph(self, where)
        found = path_of(extend(self._tree, ("x",)))
        if found is not None and found.root == "steps" and len(found.path) == 1:
            placed = self._graph.node(found.name, where)
            if placed.unpacks():
                return [self._into(name) for name in placed.parts()]
        expression = from_tree(self._value(where), where=where)
        parts = types.tuple_parts(self._graph.infer(expression, where=where))
        if parts is None:
            raise refused(
                f"`{ast.unparse(self._tree)}` can't be iterated: its length is not known before "
                "the run",
                "use `step.map(handle)` to run a step for each element",
            )
        return [self._into(index) for index in range(len(parts))]


def graph_of(symbol: Symbol) -> Graph:
    """Return the graph in which a symbol was made."""
    return symbol._graph  # pyright: ignore[reportPrivateUsage]


def raw_tree(symbol: Symbol) -> ast.expr:
    """Return the tree of a symbol as it was made."""
    return symbol._tree  # pyright: ignore[reportPrivateUsage]


def check_graph(symbol: Symbol, where: str) -> None:
    """Raise DefinitionError when a symbol is not of the pipeline being traced."""
    graph = graph_of(symbol)
    if graph is not current():
        raise DefinitionError(
            f"`{ast.unparse(raw_tree(symbol))}` belongs to the pipeline `{graph.name}`, not here",
            where=where or None,
            hint="pass it as a parameter",
        )


def node_of(symbol: Symbol, where: str) -> str:
    """Return the name of the step that a symbol comes from. Raises DefinitionError."""
    check_graph(symbol, where)
    found = path_of(extend(raw_tree(symbol), ("x",)))
    if found is None or found.root != "steps":
        raise DefinitionError(
            f"`{ast.unparse(raw_tree(symbol))}` is no step's result", where=where or None
        )
    return graph_of(symbol).node(found.name, where).name


def tree_of(value: Any, where: str) -> ast.expr:
    """Return the tree of a symbol or source, of plain data, or of a container of these."""
    if isinstance(value, Symbol):
        return value._value(where)  # pyright: ignore[reportPrivateUsage]
    if isinstance(value, Sourced):
        return sources.tree_of(value)
    if not has_symbol(value):
        return literals.tree_of(literals.plain(value, where=where))
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        literals.plain(dict.fromkeys(table), where=where)  # refuses keys that are not text
        keys: list[ast.expr | None] = [ast.Constant(key) for key in table]
        return ast.Dict(keys, [tree_of(item, where) for item in table.values()])
    items = [tree_of(item, where) for item in cast("list[Any]", value)]
    return (ast.Tuple if isinstance(value, tuple) else ast.List)(items, ast.Load())


def has_symbol(value: Any, depth: int = 0) -> bool:
    """Say whether a value is, or has somewhere inside its containers, a symbol or source."""
    if isinstance(value, Symbol | Sourced):
        return True
    if depth > 100:
        return False
    if isinstance(value, list | tuple):
        return any(has_symbol(item, depth + 1) for item in cast("list[Any]", value))
    if isinstance(value, dict):
        return any(has_symbol(v, depth + 1) for v in cast("dict[Any, Any]", value).values())
    return False


def given(value: Any, where: str) -> Any:
    """Return what `Graph.place` takes for an argument: an expression, or the plain value."""
    if has_symbol(value):
        return from_tree(tree_of(value, where), where=where)
    return value


def condition(value: object, where: str) -> Expression | object:
    """Return the expression of a condition given as a symbol; anything else as it is."""
    return from_tree(tree_of(value, where), where=where) if isinstance(value, Symbol) else value


def truth(graph: Graph, value: Any, word: str, where: str) -> ast.expr:
    """Return the tree of an operand of `&`, `|` or `~`: only truth values make sense there."""
    tree = tree_of(value, where)
    annotation = graph.infer(from_tree(tree, where=where), where=where)
    if not isinstance(value, Symbol):
        annotation = cast(Any, type(value))
    if not any(types.is_unknown(one) or one is bool for one in types.members(annotation)):
        raise DefinitionError(
            f"`{word}` joins truth values: `{ast.unparse(tree)}` is {types.text(annotation)}",
            where=where or None,
            hint="put each comparison in parentheses: `(a > 1) & (b > 2)`",
        )
    return tree


def _plain_enum(value: Any) -> Any:
    return value.value if hasattr(cast(Any, type(value)), "__members__") else value


def refused(what: str, hint: str) -> DefinitionError:
    """Return the error for something that a handle can't do, at the user's line."""
    return DefinitionError(what, where=location() or None, hint=hint)
