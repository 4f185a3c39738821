"""Which names a block of code binds, and which block a name belongs to."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from mainspring.planning.facts import Import

Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Bindings(ast.NodeVisitor):
    """The names bound by a block's own statements (not by the functions and classes inside it).

    `names` maps each to True while it is only ever a plain variable, whose name nobody can see.
    """

    def __init__(self) -> None:
        self.names: dict[str, bool] = {}
        self.imports: list[Import] = []
        self.outer: set[str] = set()
        self.nonlocals: set[str] = set()
        self._inside = 0

    def bind(self, name: str, *, plain: bool) -> None:
        self.names[name] = plain and self.names.get(name, True)

    def visit_Name(self, node: ast.Name) -> None:
        if not self._inside and not isinstance(node.ctx, ast.Load):
            self.bind(node.id, plain=True)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.bind(node.target.id, plain=True)
        self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: Function) -> None:
        self.bind(node.name, plain=False)
        self._all(node.decorator_list)
        self.visit(node.args)
        if node.returns:
            self.visit(node.returns)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.bind(node.name, plain=False)
        self._all([*node.decorator_list, *node.bases, *node.keywords])

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node)

    def _comprehension(self, node: Comprehension) -> None:
        # Its targets are its own; an assignment expression inside binds out here.
        self._inside += 1
        self.generic_visit(node)
        self._inside -= 1

    def visit_Import(self, node: ast.Import) -> None:
        for item in node.names:
            first = item.name.split(".", maxsplit=1)[0]
            alias = item.asname or first
            self.bind(alias, plain=False)
            bound = item.name if item.asname else first
            self.imports.append(Import(0, item.name, "", alias, bound))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for item in node.names:
            alias = "" if item.name == "*" else item.asname or item.name
            if alias:
                self.bind(alias, plain=False)
            self.imports.append(Import(node.level, node.module or "", item.name, alias, ""))

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._named(node, node.name)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self._named(node, node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self._named(node, node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self._named(node, node.rest)

    def _named(self, node: ast.AST, name: str | None) -> None:
        if name is not None:
            self.bind(name, plain=True)
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        self.outer.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.nonlocals.update(node.names)

    def visit_TypeAlias(self, node: ast.AST) -> None:
        # `type X = ...` (3.12); its value is not evaluated here.
        name = getattr(node, "name", None)
        if isinstance(name, ast.Name):
            self.bind(name.id, plain=False)

    def _all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)


def bindings(nodes: Iterable[ast.AST]) -> Bindings:
    """Return what the nodes bind in the block that they stand in."""
    found = Bindings()
    for node in nodes:
        found.visit(node)
    return found


class Scope:
    """A block that is being read: a class, or anything whose names are local."""

    def __init__(self, found: Bindings, *, is_class: bool = False, owner: str = "") -> None:
        self.found = found
        self.is_class = is_class
        self.owner = owner
        self.imports: dict[str, list[int]] = {}
        self.renamed: dict[str, str] = {}

    def binds(self, name: str) -> bool:
        return name in self.found.names and name not in self.found.nonlocals


def function_scope(node: Function | ast.Lambda) -> Scope:
    """The scope of a function's body: parameters keep their names, callers may use them."""
    body = node.body if isinstance(node.body, list) else [node.body]
    found = bindings(body)
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    for argument in (*every, arguments.vararg, arguments.kwarg):
        if argument is not None:
            found.bind(argument.arg, plain=False)
    return Scope(found)


def comprehension_scope(node: Comprehension) -> Scope:
    """The scope of a comprehension: its targets."""
    return Scope(bindings(generator.target for generator in node.generators))


def class_scope(node: ast.ClassDef) -> Scope:
    """The scope of a class body, seen by its own statements but not by its methods."""
    return Scope(bindings(node.body), is_class=True, owner=node.name)


def dotted(node: ast.AST) -> tuple[ast.Name, tuple[str, ...]] | None:
    """Split `a.b.c` into its root and attributes; None for anything else."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node, tuple(reversed(attributes))) if isinstance(node, ast.Name) else None
