"""Which global names a piece of code uses: when it is defined, and later, when it is called."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from typing import NamedTuple

_COMPREHENSIONS = frozenset({"listcomp", "setcomp", "dictcomp", "genexpr"})


class Names(NamedTuple):
    """`early` names are looked up while the piece is defined (decorators, defaults, bases), `late`
    ones when it is called, `hints` only in annotations that are not evaluated; `assigned` are those
    that its functions assign (`global x`). `chains` are the dotted names in it."""

    early: frozenset[str]
    late: frozenset[str]
    hints: frozenset[str]
    assigned: frozenset[str]
    chains: frozenset[tuple[str, ...]]

    @property
    def all(self) -> list[str]:
        """Every name, sorted."""
        return sorted(self.early | self.late | self.hints)


def names_of(text: str, *, lazy: bool) -> Names:
    """Return the names that a statement uses; `lazy`: its annotations stay text."""
    tree = ast.parse(text)
    if lazy:
        text = "from __future__ import annotations\n" + text
    early: set[str] = set()
    late: set[str] = set()
    assigned: set[str] = set()
    _collect(symtable.symtable(text, "<cell>", "exec"), early, late, assigned)
    hints = set(_hinted(tree)) - early - late
    return Names(
        frozenset(early),
        frozenset(late - early),
        frozenset(hints),
        frozenset(assigned),
        frozenset(_chains(tree)),
    )


def _collect(
    table: symtable.SymbolTable,
    early: set[str],
    late: set[str],
    assigned: set[str],
    *,
    at_once: bool = False,
) -> None:
    now = at_once or table.get_type() in ("module", "class")
    for symbol in table.get_symbols():
        outer = table.get_type() == "module" or symbol.is_global()
        if outer and symbol.is_referenced():
            (early if now else late).add(symbol.get_name())
        if symbol.is_declared_global() and symbol.is_assigned():
            assigned.add(symbol.get_name())
    for child in table.get_children():
        # A function's body runs later, a class's and a comprehension's at once.
        at_once = now and (child.get_type() == "class" or child.get_name() in _COMPREHENSIONS)
        _collect(child, early if at_once else late, late, assigned, at_once=at_once)


def _hinted(tree: ast.AST) -> Iterator[str]:
    """The names in annotations, also in those that are text."""
    for node in ast.walk(tree):
        found: list[ast.expr | None] = []
        if isinstance(node, ast.arg | ast.AnnAssign):
            found = [node.annotation]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found = [node.returns]
        for annotation in found:
            if annotation is not None:
                yield from _in_annotation(annotation)


def _in_annotation(annotation: ast.expr) -> Iterator[str]:
    for each in ast.walk(annotation):
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            try:
                inner = ast.parse(each.value, mode="eval")
            except SyntaxError:
                continue  # a Literal["two words"]
            yield from (name.id for name in ast.walk(inner) if isinstance(name, ast.Name))


def _chains(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    """Dotted names such as `np.linalg.norm`."""
    for node in ast.walk(tree):
        parts: list[str] = []
        found: ast.AST = node
        while isinstance(found, ast.Attribute):
            parts.append(found.attr)
            found = found.value
        if parts and isinstance(found, ast.Name):
            yield (found.id, *reversed(parts))
