"""Turns a module's text into facts: its top-level statements, normalised, and what they mention."""

from __future__ import annotations

import ast
import builtins
import warnings
from collections import Counter
from collections.abc import Sequence

from mainspring.planning.escapes import BUILTINS
from mainspring.planning.facts import (
    Demand,
    Kind,
    ModuleFacts,
    Need,
    Reference,
    Statement,
    module_facts,
)
from mainspring.planning.inert import (
    Inertness,
    decorated_value,
    is_constant,
    is_hooked,
    is_starting,
    mainspring_decorators,
    scalar_names,
)
from mainspring.planning.reading import Reader
from mainspring.planning.scopes import bindings
from mainspring.records.canonical import digest_bytes

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module

_KINDS: dict[type[ast.AST], Kind] = {
    ast.FunctionDef: Kind.FUNCTION,
    ast.AsyncFunctionDef: Kind.FUNCTION,
    ast.ClassDef: Kind.CLASS,
    ast.Import: Kind.IMPORT,
    ast.ImportFrom: Kind.IMPORT,
}
_TYPES = frozenset(name for name, value in vars(builtins).items() if isinstance(value, type))
_DESCRIPTORS = frozenset({"property", "staticmethod", "classmethod"})


def parse_module(data: bytes) -> ModuleFacts:
    """Return the facts of a module's text; one that isn't Python counts by its bytes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _Module(ast.parse(data)).facts()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # RecursionError: an expression nested a thousand deep; nothing can be left out then.
        return ModuleFacts(whole=digest_bytes(data), opaque=True)


class _Module:
    """A module being turned into facts; the tree is changed on the way."""

    def __init__(self, tree: ast.Module) -> None:
        self.documentation = _digest(_take_docstrings([tree]))
        self.body = [node for node in tree.body if not is_constant(node)]
        self.bound = [bindings([node]) for node in self.body]
        self.starred = any(item.name == "*" for found in self.bound for item in found.imports)
        self.lazy = any(_is_lazy(node) for node in self.body)
        self.renamed = any("__name__" in found.names for found in self.bound)
        counts: Counter[str] = Counter()
        for node, found in zip(self.body, self.bound, strict=True):
            if self.renamed or not _is_main(node):
                counts.update(found.names.keys())
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                counts.update(node.names)
        self.names = frozenset(counts)
        self.once = {name for name, count in counts.items() if count == 1}
        self.scalars = scalar_names(self.body, self.once, lazy=self.lazy)

    def facts(self) -> ModuleFacts:
        statements = [self._statement(index) for index in range(len(self.body))]
        texts = [text for each in statements for text in (each.digest, each.docs)]
        return module_facts(_digest([self.documentation, *texts]), statements)

    def _statement(self, index: int) -> Statement:
        node, found = self.body[index], self.bound[index]
        docs = _digest(_take_docstrings(list(ast.walk(node))))
        pinned = not found.names.keys() <= self.once
        needs = None if pinned else self._needs(node)
        reader = Reader(node, found)
        references, options = self._read(reader, node)
        binds = [(item.alias, i) for i, item in enumerate(found.imports) if item.alias]
        imported = {alias for alias, _ in binds}
        binds += [(name, -1) for name in found.names if name not in imported]
        return Statement(
            kind=Kind.MAIN if _is_main(node) and not self.renamed else _kind(node, needs),
            line=node.lineno,
            digest=_digest([ast.dump(node)]),
            bare=_bare(node),
            binds=tuple(binds),
            late=tuple(reader.late),
            imports=tuple(reader.imports),
            references=references,
            options=options,
            needs=needs,
            docs=docs,
            marks=tuple(sorted(reader.marks)),
            texts=tuple(sorted(reader.texts)),
            hooks=is_hooked(node),
            starts=is_starting(node),
            pinned=pinned,
        )

    def _read(
        self, reader: Reader, node: ast.stmt
    ) -> tuple[tuple[Reference, ...], tuple[Reference, ...]]:
        """The references of a statement; apart, those of decorators that may be Mainspring's."""
        own = mainspring_decorators(node)
        value = decorated_value(node)
        options: tuple[Reference, ...] = ()
        if own and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            reader.decorators(own)
            options = reader.found()
            every = node.decorator_list
            node.decorator_list = [each for each in every if each not in own]
            reader.visit(node)
            node.decorator_list = every
        elif value is not None:
            reader.visit(value)
            references = reader.found()
            reader.visit(node)
            return self._known(references), self._known(reader.found())
        else:
            reader.visit(node)
        return self._known(reader.found()), self._known(options)

    def _known(self, references: Sequence[Reference]) -> tuple[Reference, ...]:
        """Leave out the built-in names that hide nothing."""
        if self.starred:
            return tuple(references)
        return tuple(
            each
            for each in references
            if each.base >= 0 or each.path[0] in self.names or each.path[0] in BUILTINS
        )

    def _needs(self, node: ast.stmt) -> tuple[Need, ...] | None:
        judge = Inertness(self.scalars, lazy=self.lazy)
        if not judge.statement(node):
            return None
        open_needs: list[Need] = []
        for need in sorted(judge.needs, key=lambda need: (need.demand, need.path)):
            if need.path[0] in self.names:
                open_needs.append(need)
            elif not _builtin_meets(need):
                return None
        return tuple(open_needs)


def _builtin_meets(need: Need) -> bool:
    name = ".".join(need.path)
    if need.demand is Demand.DECORATOR:
        return name in _DESCRIPTORS
    if need.demand is Demand.METACLASS:
        return name == "type"
    return need.demand in (Demand.BASE, Demand.SUBSCRIPT, Demand.UNION) and name in _TYPES


def _kind(node: ast.stmt, needs: tuple[Need, ...] | None) -> Kind:
    known = _KINDS.get(type(node))
    if known is not None:
        return known
    return Kind.EFFECT if needs is None else Kind.ASSIGN


def _bare(node: ast.stmt) -> str:
    """The digest of a definition without the decorators that may be Mainspring's; or ""."""
    own = mainspring_decorators(node)
    if own and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        every = node.decorator_list
        node.decorator_list = [each for each in every if each not in own]
        text = ast.dump(node)
        node.decorator_list = every
        return _digest(["decorated", *["*"] * len(own), text])
    value = decorated_value(node)
    if value is None or not isinstance(node, ast.Assign):
        return ""
    return _digest(["value", *(ast.dump(each) for each in node.targets), ast.dump(value)])


def _take_docstrings(nodes: Sequence[ast.AST]) -> list[str]:
    """Remove the docstrings of the nodes that have one and return them in order."""
    found: list[str] = []
    for node in nodes:
        if not isinstance(node, Documented) or not node.body:
            continue
        text = ast.get_docstring(node, clean=False)
        if text is None:
            continue
        found += ["" if isinstance(node, ast.Module) else node.name, text]
        del node.body[0]
        if not node.body and not isinstance(node, ast.Module):
            node.body.append(ast.Pass())
    return found


def _digest(texts: Sequence[str]) -> str:
    """The digest of a list of texts; of none of them, the empty text."""
    if not texts:
        return ""
    lengths = ",".join(str(len(text)) for text in texts)
    data = "\n".join([lengths, *texts]).encode("utf-8", "surrogatepass")
    return digest_bytes(data).removeprefix("blake3:")[:32]


def _is_lazy(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(item.name == "annotations" for item in node.names)
    )


def _is_main(node: ast.stmt) -> bool:
    """Exactly `if __name__ == "__main__":` without `else`: never executed on import."""
    if not isinstance(node, ast.If) or node.orelse or not isinstance(node.test, ast.Compare):
        return False
    test = node.test
    return (
        isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and len(test.ops) == 1
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )
