"""Reads one top-level statement: what it refers to, with its local variables renamed in order."""

from __future__ import annotations

import ast
import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager

from mainspring.planning.escapes import FRAME_READERS, MARKS
from mainspring.planning.facts import Import, Reference, Use
from mainspring.planning.scopes import (
    Bindings,
    Comprehension,
    Function,
    Scope,
    class_scope,
    comprehension_scope,
    dotted,
    function_scope,
)

_WORD = re.compile(r"\w+")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:[.:][A-Za-z_]\w*)+", re.ASCII)


class Reader(ast.NodeVisitor):
    """Visits one top-level statement, whose own bindings are `found`; changes it in place.

    A local variable is renamed unless somebody might see its name: see `_may_rename`.
    """

    def __init__(self, statement: ast.AST, found: Bindings) -> None:
        self.imports: list[Import] = list(found.imports)
        self.late: list[tuple[str, int]] = []
        self.references: dict[tuple[int, tuple[str, ...], Use, str], int] = {}
        self.marks: set[str] = set()
        self.texts: set[str] = set()
        self._scopes: list[Scope] = []
        self._use = Use.VALUE
        self._rename, self._words = _may_rename(statement)
        self._names = 0

    def found(self) -> tuple[Reference, ...]:
        """The references so far, and forget them."""
        result = tuple(Reference(*key[:3], line, key[3]) for key, line in self.references.items())
        self.references = {}
        return result

    # --- names ---------------------------------------------------------------------------

    def _record(self, root: ast.Name, path: tuple[str, ...], use: Use, text: str = "") -> None:
        name = root.id
        owner = self._owner(name)
        if owner is None or owner.is_class:
            for spelling in self._spellings(name):
                key = (-1, (spelling, *path), use, text)
                self.references.setdefault(key, root.lineno)
        if owner is not None:
            for base in owner.imports.get(name, ()):
                self.references.setdefault((base, path, use, text), root.lineno)
            root.id = self._local(owner, name)

    def _spellings(self, name: str) -> Iterator[str]:
        yield name
        if name.startswith("__") and not name.endswith("__"):
            for scope in self._scopes:
                if scope.is_class:
                    yield f"_{scope.owner.lstrip('_')}{name}"

    def _owner(self, name: str) -> Scope | None:
        """The local scope that the name belongs to; None when it is, or may be, the module's."""
        innermost = True
        for scope in reversed(self._scopes):
            if name in scope.found.outer:
                return None
            if scope.is_class:
                # A class body looks up its own names, then, if they are not yet bound, globals.
                if innermost and scope.binds(name) and name in scope.imports:
                    return scope
            elif scope.binds(name):
                return scope
            innermost = False
        return None

    def _local(self, scope: Scope, name: str) -> str:
        if not self._rename or not scope.found.names[name] or name in self._words or scope.is_class:
            return name
        if name not in scope.renamed:
            scope.renamed[name] = f"·{self._names}"
            self._names += 1
        return scope.renamed[name]

    def _bound(self, name: str) -> str:
        owner = self._owner(name)
        return name if owner is None else self._local(owner, name)

    @contextmanager
    def _inside(self, scope: Scope) -> Generator[None]:
        for item in scope.found.imports:
            index = len(self.imports)
            self.imports.append(item)
            if item.alias in scope.found.outer:
                self.late.append((item.alias, index))
            scope.imports.setdefault(item.alias, []).append(index)
        bound = scope.found.outer & scope.found.names.keys()
        self.late.extend((name, -1) for name in sorted(bound) if name not in scope.imports)
        for name in scope.found.outer:
            scope.found.names.pop(name, None)
        self._scopes.append(scope)
        yield
        self._scopes.pop()

    # --- expressions ---------------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._record(node, (), self._use)
        elif self._owner(node.id) is not None:
            node.id = self._bound(node.id)
        elif self._scopes and not self._scopes[-1].binds(node.id):
            self._record(node, (), Use.VALUE)  # a module's name, stored through `global`

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain = dotted(node)
        self._mark(node.attr)
        if chain is None:
            self.visit(node.value)
            return
        for name in chain[1]:
            self._mark(name)
        stored = not isinstance(node.ctx, ast.Load)
        self._record(*chain, Use.STORE if stored else self._use)

    def visit_Call(self, node: ast.Call) -> None:
        chain = dotted(node.func)
        if chain is None:
            self.visit(node.func)
        else:
            for name in chain[1]:
                self._mark(name)
            called = Use.TYPE if self._use is Use.TYPE else Use.CALL
            self._record(*chain, called, _only_text(node))
        self._visit_all([*node.args, *node.keywords])

    def visit_Subscript(self, node: ast.Subscript) -> None:
        chain = dotted(node.value)
        own = isinstance(node.slice, ast.Name) and node.slice.id == "__name__"
        if chain and chain[1] and own:
            self._record(*chain, Use.OWN_MODULE)
        else:
            self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and not self._scopes:
            self._record(node.target, (), Use.VALUE)
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        harmless = isinstance(node.value, ast.Constant) and node.value.value is False
        if node.arg and not harmless:
            self._mark(node.arg)
        self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, str):
            return
        self._mark(node.value)
        if self._use is Use.TYPE:
            self._text_annotation(node)
        elif _DOTTED.fullmatch(node.value):
            self.texts.add(node.value)

    def _text_annotation(self, node: ast.Constant) -> None:
        try:
            tree = ast.parse(str(node.value), mode="eval")
        except (SyntaxError, ValueError):
            return
        for inner in ast.walk(tree):
            if isinstance(inner, ast.expr):
                inner.lineno = node.lineno
        self.visit(tree.body)

    def _mark(self, name: str) -> None:
        if name in MARKS:
            self.marks.add(name)

    # --- blocks --------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: Function) -> None:
        self.decorators(node.decorator_list)
        with self._type_parameters(node):
            self._arguments(node.args)
            self._annotation(node.returns)
            with self._inside(function_scope(node)), self._using(Use.VALUE):
                self._visit_all(node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._arguments(node.args)
        with self._inside(function_scope(node)), self._using(Use.VALUE):
            self.visit(node.body)

    def _arguments(self, node: ast.arguments) -> None:
        self._visit_all([*node.defaults, *(d for d in node.kw_defaults if d)])
        every = [*node.posonlyargs, *node.args, *node.kwonlyargs, node.vararg, node.kwarg]
        for argument in every:
            self._annotation(argument.annotation if argument else None)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        self._annotation(node.annotation)
        if node.value:
            self.visit(node.value)

    def decorators(self, nodes: list[ast.expr]) -> None:
        """Visit decorators: they are called, so their own docstrings don't matter."""
        for node in nodes:
            chain = dotted(node)
            if chain is None:
                self.visit(node)
            else:
                self._record(*chain, Use.CALL)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.decorators(node.decorator_list)
        with self._type_parameters(node):
            with self._using(Use.TYPE):
                self._visit_all(node.bases)
            self._visit_all(node.keywords)
            with self._inside(class_scope(node)):
                self._visit_all(node.body)

    @contextmanager
    def _type_parameters(self, node: ast.AST) -> Generator[None]:
        # `def f[T](x: T)` (3.12): the names belong to a scope around the definition.
        parameters: list[ast.AST] = getattr(node, "type_params", [])
        found = Bindings()
        for parameter in parameters:
            found.bind(getattr(parameter, "name", ""), plain=False)
        with self._inside(Scope(found)) if parameters else _nothing():
            with self._using(Use.TYPE):
                self._visit_all(parameters)
            yield

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node, [node.elt])

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node, [node.elt])

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node, [node.elt])

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node, [node.key, node.value])

    def _comprehension(self, node: Comprehension, results: list[ast.expr]) -> None:
        first, *rest = node.generators
        self.visit(first.iter)
        with self._inside(comprehension_scope(node)):
            self._visit_all([first.target, *first.ifs])
            for generator in rest:
                self._visit_all([generator.iter, generator.target, *generator.ifs])
            self._visit_all(results)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        node.name = node.name and self._bound(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        node.name = node.name and self._bound(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        node.name = node.name and self._bound(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        node.rest = node.rest and self._bound(node.rest)
        self.generic_visit(node)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        node.names = [self._bound(name) for name in node.names]

    @contextmanager
    def _using(self, use: Use) -> Generator[None]:
        before, self._use = self._use, use
        yield
        self._use = before

    def _annotation(self, node: ast.expr | None) -> None:
        if node is not None:
            with self._using(Use.TYPE):
                self.visit(node)

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)


@contextmanager
def _nothing() -> Generator[None]:
    yield


def _only_text(node: ast.Call) -> str:
    """The text that is the one argument of a call; "" if that is anything else."""
    first = node.args[0] if len(node.args) == 1 and not node.keywords else None
    text = first.value if isinstance(first, ast.Constant) else None
    return text if isinstance(text, str) else ""


def _may_rename(statement: ast.AST) -> tuple[bool, set[str]]:
    """Whether local variables may be renamed, and which must not: the words of its texts.

    `df.query("a > @limit")`, `duckdb.sql("select * from frame")`, `locals()`: some callees look
    up local variables by name, so a renamed variable can be another result.
    """
    words: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.update(_WORD.findall(node.value))
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
        if isinstance(node, ast.alias):
            name = node.name.rpartition(".")[2]
        if name in FRAME_READERS:
            return False, words
    return True, words
