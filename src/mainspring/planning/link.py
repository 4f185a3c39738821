"""Joins the facts of modules into one program: which definition a dotted name may denote."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from mainspring.planning.escapes import STDLIB
from mainspring.planning.facts import (
    Demand,
    Import,
    Kind,
    ModuleFacts,
    Need,
    Statement,
    decode,
    encode,
    memo_key,
    statement_of,
)
from mainspring.planning.modules import Found, Modules
from mainspring.planning.parse import parse_module
from mainspring.records.notebook import is_cell_file, place, said
from mainspring.records.source import Manifest, Memo, SourceFile

DECORATIONS = frozenset({"mainspring.step", "mainspring.pipeline"})
INERT_DECORATORS = DECORATIONS | {
    "dataclasses.dataclass",
    "functools.cache",
    "functools.lru_cache",
    "functools.cached_property",
    "functools.total_ordering",
    "functools.wraps",
    "contextlib.contextmanager",
    "contextlib.asynccontextmanager",
    "abc.abstractmethod",
    "enum.unique",
    "typing.final",
    "typing.override",
    "typing.runtime_checkable",
}
INERT_CALLS = DECORATIONS | {"dataclasses.field", "enum.auto"}
_METACLASSES = frozenset({"abc.ABCMeta", "enum.EnumMeta", "enum.EnumType"})


class Hit(NamedTuple):
    """What a dotted name may denote.

    A thing outside the project (`outside`, dotted); else, of `module`: itself (`at` -1), its
    statement `at` with `rest` an attribute of what that binds, the alias made by the import
    `item` of that statement, or `missing`, a name that no statement binds.
    """

    outside: str = ""
    module: str = ""
    at: int = -1
    rest: tuple[str, ...] = ()
    item: int = -1
    missing: str = ""


class Module:
    """A module in its place: facts, the name it is imported by, what binds each of its names."""

    __slots__ = ("_cells", "_statements", "bound", "facts", "found", "name", "opaque", "package")

    def __init__(self, found: Found, facts: ModuleFacts, cells: Sequence[str] = ()) -> None:
        self.found = found
        self.name = found.name
        self.facts = facts
        self.package = found.name if found.search else found.name.rpartition(".")[0]
        self.bound = facts.bound
        # What it binds can't be told: counted whole as soon as it is imported.
        self.opaque = bool(facts.stars) or facts.opaque or "__getattr__" in facts.bound
        self._statements: dict[int, Statement] = {}
        self._cells = cells

    def __len__(self) -> int:
        return len(self.facts.rows)

    def statement(self, index: int) -> Statement:
        """One of its top-level statements."""
        known = self._statements.get(index)
        if known is None:
            known = self._statements[index] = statement_of(self.facts.rows[index])
        return known

    def statements(self) -> Iterator[tuple[int, Statement]]:
        """All that are executed on import, in order, with their indexes."""
        for index in range(len(self)):
            statement = self.statement(index)
            if statement.kind is not Kind.MAIN:
                yield index, statement

    @property
    def path(self) -> str:
        return self.found.files[0].path if self.found.files else self.name

    def where(self, index: int) -> str:
        line = self.statement(index).line
        cell = place(self._cells, line)
        return f"{self.path}:{line}" if cell is None else said(*cell)


class Program:
    """The modules of a project, analysed as they are asked for, and the names between them."""

    def __init__(
        self, manifest: Manifest, read: Callable[[str], bytes], memo: Memo | None = None
    ) -> None:
        self.modules = Modules(manifest)
        self._read = read
        self._memo = memo
        self._linked: dict[str, Module | None] = {}
        self._facts: dict[str, ModuleFacts] = {}
        self._inert: dict[tuple[str, int], bool] = {}
        self._bare: dict[tuple[str, int], bool] = {}
        self._resolved: dict[tuple[str, tuple[str, ...]], tuple[Hit, ...]] = {}

    def module(self, name: str) -> Module | None:
        """The project's module of that name, namespace packages included."""
        if name not in self._linked:
            found = self.modules.find(name)
            source = [file for file in found.files if file.path.endswith(".py")] if found else []
            native = found is not None and bool(found.files)
            facts = self.facts(source[0]) if source else ModuleFacts("", opaque=native)
            self._linked[name] = Module(found, facts, self._cells(source)) if found else None
        return self._linked[name]

    def _cells(self, source: list[SourceFile]) -> list[str]:
        """The lines of a module that was made of a notebook's cells: they say which."""
        if not source or not is_cell_file(source[0].path):
            return []
        return self._read(source[0].path).decode().splitlines()

    def facts(self, file: SourceFile) -> ModuleFacts:
        """What a Python file's text says; from the memo, if it knows the content."""
        known = self._facts.get(file.digest)
        if known is None:
            known = self._facts[file.digest] = self._remembered(file.digest) or self._parse(file)
        return known

    def _remembered(self, digest: str) -> ModuleFacts | None:
        data = self._memo.get(memo_key("facts", digest)) if self._memo is not None else None
        try:
            return None if data is None else decode(data)
        except (msgspec.DecodeError, ValueError):
            return None

    def _parse(self, file: SourceFile) -> ModuleFacts:
        facts = parse_module(self._read(file.path))
        if self._memo is not None:
            self._memo.put(memo_key("facts", file.digest), encode(facts))
        return facts

    # --- names ---------------------------------------------------------------------------

    def resolve(self, module: Module, path: tuple[str, ...]) -> tuple[Hit, ...]:
        """Everything that a dotted name may denote, as seen from a module's own code."""
        key = (module.name, path)
        if key not in self._resolved:
            self._resolved[key] = tuple(self._root(module, path, set()))
        return self._resolved[key]

    def _root(
        self, module: Module, path: tuple[str, ...], seen: set[tuple[str, str]]
    ) -> Iterator[Hit]:
        name, rest = path[0], path[1:]
        if name in module.bound:
            yield from self._bound(module, name, rest, seen)
        for star in module.facts.stars:
            for hit in self._member(self.absolute(module, star), path, seen):
                if not hit.missing:
                    yield hit

    def _bound(
        self, module: Module, name: str, rest: tuple[str, ...], seen: set[tuple[str, str]]
    ) -> Iterator[Hit]:
        for index, item in module.bound[name]:
            if item < 0:
                yield Hit(module=module.name, at=index, rest=rest)
            else:
                yield Hit(module=module.name, at=index, item=item)
                record = module.statement(index).imports[item]
                yield from self.imported(module, record, rest, seen)

    def imported(
        self,
        module: Module,
        record: Import,
        rest: tuple[str, ...],
        seen: set[tuple[str, str]] | None = None,
    ) -> Iterator[Hit]:
        """What `rest` of the thing denotes that the import binds."""
        seen = set() if seen is None else seen
        if record.name:
            base = self.absolute(module, record)
            yield from self._member(base, (record.name, *rest), seen)
        else:
            yield from self._member(record.bound, rest, seen)

    def absolute(self, module: Module, record: Import) -> str:
        """The dotted name of the module that an import names, relative ones included."""
        if not record.level:
            return record.module
        parts = module.package.split(".")
        kept = parts[: len(parts) - record.level + 1]
        return ".".join([*kept, record.module] if record.module else kept)

    def _member(
        self, name: str, rest: tuple[str, ...], seen: set[tuple[str, str]]
    ) -> Iterator[Hit]:
        """What `rest` denotes, seen from the module `name`, in the project or outside."""
        top = name.partition(".")[0]
        found = self.module(name)
        if self.is_outside(top):
            yield Hit(outside=".".join((name, *rest)))
        if found is None:
            if not self.is_outside(top):
                yield Hit(module=name.rpartition(".")[0], missing=name.rpartition(".")[2])
        elif not rest:
            yield Hit(module=name)
        elif (name, rest[0]) not in seen:
            seen.add((name, rest[0]))
            yield from self._attribute(found, rest, seen)

    def _attribute(
        self, module: Module, rest: tuple[str, ...], seen: set[tuple[str, str]]
    ) -> Iterator[Hit]:
        name = rest[0]
        hits = list(self._root(module, rest, seen))
        inner = f"{module.name}.{name}"
        if self.modules.find(inner) and not self._hidden(module, name):
            hits += self._member(inner, rest[1:], seen)
        yield from hits or [Hit(module=module.name, missing=name)]

    def _hidden(self, module: Module, name: str) -> bool:
        """Whether `from .name import name` in a package hides the submodule for good."""
        for index, item in module.bound.get(name, ()):
            statement = module.statement(index)
            if item >= 0 and statement.kind is Kind.IMPORT:
                record = statement.imports[item]
                if record.name and self.absolute(module, record) == f"{module.name}.{name}":
                    return True
        return False

    def is_outside(self, top: str) -> bool:
        """Whether a top-level name may denote a module that isn't the project's."""
        found = self.modules.find(top)
        return found is None or found.is_namespace or top in STDLIB

    def only_stdlib(self, name: str) -> bool:
        """Whether a module is certainly one of the standard library."""
        top = name.partition(".")[0]
        return top in STDLIB and self.modules.find(top) is None

    def loads(self, module: Module, record: Import) -> list[str]:
        """The project's modules that executing an import loads."""
        base = self.absolute(module, record)
        parts = base.split(".")
        names = [".".join(parts[: count + 1]) for count in range(len(parts))]
        if record.name not in ("", "*"):
            names.append(f"{base}.{record.name}")
        return [name for name in names if self.modules.find(name)]

    # --- effects -------------------------------------------------------------------------

    def is_inert(self, module: Module, index: int) -> bool:
        """Whether a statement only binds a name, so that it may be left out if unreferenced."""
        if index not in module.facts.effects:
            return True
        key = (module.name, index)
        if key not in self._inert:
            self._inert[key] = False  # a class among its own bases
            needs = module.statement(index).needs
            met = needs is not None and all(self._meets(module, need) for need in needs)
            self._inert[key] = met and not self._starts(module, index)
        return self._inert[key]

    def _starts(self, module: Module, index: int) -> bool:
        """Whether making an enumeration runs the project's own methods, for its members."""
        statement = module.statement(index)
        bases = [each.path for each in statement.needs or () if each.demand is Demand.BASE]
        kinds = [self.only_outside(module, path).partition(".")[0] for path in bases]
        if "enum" in kinds:
            return statement.starts or "" in kinds
        return any(self._is_enumeration(module, path) for path in bases)

    def _is_enumeration(self, module: Module, path: tuple[str, ...]) -> bool:
        for hit in self.resolve(module, path):
            owner = self.module(hit.module) if hit.at >= 0 and hit.item < 0 else None
            for need in owner.statement(hit.at).needs or () if owner else ():
                outside = self.only_outside(owner, need.path) if owner else ""
                if outside.startswith("enum.") or (
                    owner and need.demand is Demand.BASE and self._is_enumeration(owner, need.path)
                ):
                    return True
        return False

    def is_bare(self, module: Module, index: int) -> bool:
        """Whether the decorators that may be Mainspring's are."""
        key = (module.name, index)
        if key not in self._bare:
            statement = module.statement(index)
            roots = [each for each in statement.options if each.path[-1] in ("step", "pipeline")]
            names = {self.only_outside(module, each.path) for each in roots if each.base < 0}
            self._bare[key] = bool(statement.bare and names) and names <= DECORATIONS
        return self._bare[key]

    def only_outside(self, module: Module, path: tuple[str, ...]) -> str:
        """The dotted name outside the project that `path` denotes for certain; or ""."""
        if len(module.bound.get(path[0], ())) != 1 or module.opaque:
            return ""
        hits = [hit for hit in self.resolve(module, path) if hit.item < 0]
        return hits[0].outside if len(hits) == 1 else ""

    def _meets(self, module: Module, need: Need) -> bool:
        outside = self.only_outside(module, need.path)
        match need.demand:
            case Demand.DECORATOR:
                return outside in INERT_DECORATORS
            case Demand.CALL:
                return outside in INERT_CALLS
            case Demand.OPTIONS:
                return outside in DECORATIONS
            case Demand.METACLASS:
                return outside in _METACLASSES
            case Demand.BASE:
                return outside.partition(".")[0] in STDLIB or self._is_plain(module, need.path)
            case Demand.UNION:
                return bool(outside) or self._is_plain(module, need.path)
            case Demand.SUBSCRIPT:
                return bool(outside)
            case Demand.ATTRIBUTE:
                return bool(outside) or self._is_module(module, need.path[:-1])

    def _is_plain(self, module: Module, path: tuple[str, ...]) -> bool:
        """Whether the name denotes one class of the project that does nothing on its own."""
        hits = [hit for hit in self.resolve(module, path) if hit.item < 0]
        if len(hits) != 1 or hits[0].at < 0 or hits[0].rest:
            return False
        owner = self.module(hits[0].module)
        if owner is None or owner.opaque:
            return False
        statement = owner.statement(hits[0].at)
        plain = statement.kind is Kind.CLASS and not statement.hooks
        return plain and self.is_inert(owner, hits[0].at)

    def _is_module(self, module: Module, path: tuple[str, ...]) -> bool:
        hits = [hit for hit in self.resolve(module, path) if hit.item < 0]
        if len(hits) != 1 or hits[0].at >= 0 or hits[0].missing:
            return False
        owner = self.module(hits[0].module)
        return owner is not None and not owner.opaque
