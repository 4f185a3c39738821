"""What a step reaches: a walk over modules, statements and names from an entry point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mainspring.planning.escapes import (
    BUILTINS,
    IMPORTERS,
    MARKS,
    STDLIB,
    Extent,
    external_extent,
)
from mainspring.planning.facts import Import, Kind, Reference, Use
from mainspring.planning.link import Hit, Module, Program


class Sort:
    """The sorts of nodes, as the first item of each node."""

    LOADED = "loaded"  # module: it is imported
    WHOLE = "whole"  # module: all of it counts
    ESCAPED = "escaped"  # module: passed around as a value, with the modules in it
    REACHED = "reached"  # module, statement
    DOCUMENTED = "documented"  # module, statement: its docstrings count
    ALIAS = "alias"  # module, statement, item: an imported name is used
    CLASSES = "classes"
    DOCS = "docs"
    NATIVE = "native"
    CODE = "code"
    FILES = "files"


Node = tuple[str, str, int, int]

_EXTENTS = {
    Extent.CLASSES: Sort.CLASSES,
    Extent.DOCS: Sort.DOCS,
    Extent.NATIVE: Sort.NATIVE,
    Extent.CODE: Sort.CODE,
    Extent.FILES: Sort.FILES,
}


def node(sort: str, module: str = "", index: int = -1, item: int = -1) -> Node:
    """A node of the walk."""
    return (sort, module, index, item)


class Links(NamedTuple):
    """Where a node leads: other nodes, packages outside the project, and undecidable places."""

    nodes: tuple[Node, ...]
    packages: frozenset[str] = frozenset()
    dynamic: tuple[str, ...] = ()


_BEHIND = {name: ("numpy",) for name in ("mainspring.rng", "mainspring.execution.telemetry.rng")}
"""What functions of Mainspring compute with, for whoever uses them."""


class _Finding:
    """Links being collected for one node."""

    def __init__(self, program: Program, module: Module) -> None:
        self.program = program
        self.module = module
        self.nodes: dict[Node, None] = {}
        self.packages: set[str] = set()
        self.dynamic: list[str] = []

    def links(self) -> Links:
        return Links(tuple(self.nodes), frozenset(self.packages), tuple(self.dynamic))

    def add(self, sort: str, module: str = "", index: int = -1, item: int = -1) -> None:
        self.nodes[node(sort, module, index, item)] = None

    def extent(self, extent: Extent, what: str, line: int) -> None:
        if extent is Extent.NOTHING:
            return
        if extent is Extent.MODULE:
            self.add(Sort.ESCAPED, self.module.name)
        else:
            self.add(_EXTENTS[extent])
        self.dynamic.append(f"{self.module.path}:{line}: {what} ({extent.value})")

    def load(self, record: Import) -> None:
        """An import is executed."""
        for name in self.program.loads(self.module, record):
            self.add(Sort.LOADED, name)
        base = self.program.absolute(self.module, record)
        top = base.partition(".")[0]
        if top and self.program.is_outside(top) and top not in STDLIB and top != "mainspring":
            self.packages.add(top)
        if record.name == "*":
            self.add(Sort.WHOLE, self.module.name)
            if self.program.modules.find(base):
                self.add(Sort.WHOLE, base)

    def statement(self, index: int) -> None:
        """Everything that one statement mentions."""
        statement = self.module.statement(index)
        for record in statement.imports:
            self.load(record)
        references = statement.references
        if not self.program.is_bare(self.module, index):
            references += statement.options
        for reference in references:
            self._reference(reference, statement.imports)
        for mark in statement.marks:
            self.extent(MARKS[mark], mark, statement.line)
        for text in statement.texts:
            self._text(text)

    def _text(self, text: str) -> None:
        """A text such as "plugins.fast" or "pkg.mod:function", as configuration files have them."""
        path = tuple(text.replace(":", ".").split("."))
        for cut in range(len(path), 0, -1):
            name = ".".join(path[:cut])
            found = self.program.modules.find(name)
            if found and not found.is_namespace:
                record = Import(0, name, "", path[0], name)
                for hit in self.program.imported(self.module, record, path[cut:]):
                    if not hit.missing:
                        self.add(Sort.LOADED, name)
                        self.hit(hit, Use.VALUE, text, 0)
                return

    def _reference(self, reference: Reference, imports: tuple[Import, ...]) -> None:
        path, use = reference.path, reference.use
        if reference.base >= 0:
            record = imports[reference.base]
            hits = tuple(self.program.imported(self.module, record, path))
        else:
            hits = self.program.resolve(self.module, path)
            if path[0] not in self.module.bound:
                self.extent(BUILTINS.get(path[0], Extent.NOTHING), path[0], reference.line)
        if use is Use.STORE:
            self._stored(reference, imports)
        for hit in hits:
            self.hit(hit, use, reference.text, reference.line)

    def _stored(self, reference: Reference, imports: tuple[Import, ...]) -> None:
        """`module.name = value`: from now on that module is what nobody can read in its text."""
        path = reference.path[:-1]
        if reference.base >= 0:
            hits = tuple(self.program.imported(self.module, imports[reference.base], path))
        else:
            hits = self.program.resolve(self.module, path) if path else ()
        for hit in hits:
            if hit.module and hit.at < 0 and not hit.missing:
                self.add(Sort.WHOLE, hit.module)

    def hit(self, hit: Hit, use: Use, text: str, line: int) -> None:
        """A name that denotes, or may denote, the thing is used."""
        if hit.outside:
            self._outside(hit.outside, use, text, line)
        elif hit.missing:
            self._missing(hit, line)
        elif hit.item >= 0:
            self.add(Sort.LOADED, hit.module)
            self.add(Sort.ALIAS, hit.module, hit.at, hit.item)
        elif hit.at >= 0:
            self.add(Sort.LOADED, hit.module)
            self.add(Sort.REACHED, hit.module, hit.at)
            if use is Use.VALUE and not hit.rest:
                self.add(Sort.DOCUMENTED, hit.module, hit.at)
        else:
            self.add(Sort.LOADED, hit.module)
            self.add(Sort.ESCAPED, hit.module)
            self.dynamic.append(f"{self.module.path}:{line}: module {hit.module} used as a value")

    def _missing(self, hit: Hit, line: int) -> None:
        if self.program.module(hit.module) is None:
            return
        self.add(Sort.LOADED, hit.module)
        if hit.missing.startswith("__") and hit.missing not in ("__name__", "__file__"):
            self.add(Sort.ESCAPED, hit.module)
            self.dynamic.append(f"{self.module.path}:{line}: {hit.module}.{hit.missing}")

    def _outside(self, name: str, use: Use, text: str, line: int) -> None:
        self.packages.update(_BEHIND.get(name, ()))
        if use is Use.OWN_MODULE and name == "sys.modules":
            self.extent(Extent.MODULE, "sys.modules[__name__]", line)
        elif name in IMPORTERS and text and not text.startswith("."):
            self.load(Import(0, text, "", "", text))
            if self.program.modules.find(text):
                self.add(Sort.ESCAPED, text)
        else:
            whole = use in (Use.VALUE, Use.TYPE)
            self.extent(external_extent(name, whole=whole), name, line)


class Walk:
    """Finds where nodes lead; remembers it, since the steps of a project share most of it."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._links: dict[Node, Links] = {}

    def links(self, at: Node) -> Links:
        known = self._links.get(at)
        if known is None:
            known = self._links[at] = self._find(at)
        return known

    def _find(self, at: Node) -> Links:
        sort, name, index, item = at
        if sort in (Sort.CODE, Sort.FILES):
            return self._everything(sort)
        module = self.program.module(name) if name else None
        if module is None:
            return Links(())
        finding = _Finding(self.program, module)
        if sort == Sort.LOADED:
            self._loaded(finding)
        elif sort in (Sort.WHOLE, Sort.ESCAPED):
            self._whole(finding, escaped=sort == Sort.ESCAPED)
        elif sort == Sort.REACHED:
            finding.statement(index)
        elif sort == Sort.ALIAS:
            finding.load(module.statement(index).imports[item])
        return finding.links()

    def _everything(self, sort: str) -> Links:
        """All that an import may execute; modules by the names they can be imported by."""
        nodes = [node(Sort.NATIVE)]
        if sort == Sort.FILES:
            nodes.append(node(Sort.CODE))
        waiting = sorted(set(self.program.modules.top_level()))
        while waiting:
            name = waiting.pop()
            nodes.append(node(Sort.ESCAPED, name))
            waiting.extend(self.program.modules.children(name))
        return Links(tuple(nodes))

    def _loaded(self, finding: _Finding) -> None:
        module = finding.module
        parent = module.name.rpartition(".")[0]
        if parent:
            finding.add(Sort.LOADED, parent)
        if module.opaque:
            finding.add(Sort.WHOLE, module.name)
        if any(not file.path.endswith(".py") for file in module.found.files):
            finding.add(Sort.NATIVE)
        for index in module.facts.effects:
            statement = module.statement(index)
            if statement.kind is Kind.IMPORT:
                for record in statement.imports:
                    finding.load(record)
            elif not self.program.is_inert(module, index):
                finding.add(Sort.REACHED, module.name, index)

    def _whole(self, finding: _Finding, *, escaped: bool) -> None:
        module = finding.module
        finding.add(Sort.LOADED, module.name)
        use = Use.VALUE if escaped else Use.CALL
        for index, statement in module.statements():
            finding.add(Sort.REACHED, module.name, index)
            for item, record in enumerate(statement.imports):
                if not record.alias:
                    continue
                finding.add(Sort.ALIAS, module.name, index, item)
                for hit in self.program.imported(module, record, ()):
                    if escaped or hit.at >= 0:
                        finding.hit(hit, use, "", statement.line)
        if escaped:
            finding.add(Sort.WHOLE, module.name)
            for child in self.program.modules.children(module.name):
                finding.add(Sort.ESCAPED, child)

    def reach(self, start: Iterable[Node]) -> tuple[set[Node], set[str], set[str]]:
        """All nodes that can be reached, the packages they import, the undecidable places."""
        seen: set[Node] = set()
        packages: set[str] = set()
        dynamic: set[str] = set()
        waiting = [*start, *self._shadows()]
        while waiting:
            at = waiting.pop()
            if at not in seen:
                seen.add(at)
                links = self.links(at)
                waiting.extend(links.nodes)
                packages |= links.packages
                dynamic.update(links.dynamic)
            if not waiting and node(Sort.CLASSES) in seen:
                waiting = [each for each in self._classes(seen) if each not in seen]
        return seen, packages, dynamic

    def _classes(self, seen: set[Node]) -> Iterator[Node]:
        for sort, name, _, _ in tuple(seen):
            module = self.program.module(name) if sort == Sort.LOADED else None
            for index, statement in module.statements() if module else ():
                if statement.kind is Kind.CLASS:
                    yield node(Sort.REACHED, name, index)

    def _shadows(self) -> Iterator[Node]:
        """A project's `random.py` is imported by libraries too, unseen."""
        special = (STDLIB | {"sitecustomize", "usercustomize"}) - {"test"}
        for name in set(self.program.modules.top_level()) & special:
            found = self.program.modules.find(name)
            if found and not found.is_namespace:
                yield node(Sort.ESCAPED, name)
