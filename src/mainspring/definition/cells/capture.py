"""From the steps of a notebook to source: what they reach in the cells, as it is in memory now.

Functions and classes are taken by their source, plain values as they are at this moment, modules
and what they define as imports. What is none of these is refused by name: a step must not run
without something that it uses, and what ran must be what is recorded.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, NoReturn

from mainspring.definition import types
from mainspring.definition.cells.names import Names, names_of
from mainspring.definition.cells.sources import Piece, Sources
from mainspring.definition.cells.values import (
    construction,
    from_import,
    imported,
    is_type_alias,
    literal,
    provides,
)
from mainspring.records.errors import DefinitionError
from mainspring.records.notebook import said

_OWN = frozenset({"__name__", "__doc__", "__builtins__", "__debug__", "__file__", "__spec__"})
_ADDED = frozenset({"display", "get_ipython", "__IPYTHON__", "exit", "quit"})
_LAZY = 0x1000000  # CO_FUTURE_ANNOTATIONS


class Unit(NamedTuple):
    """What one global name stands for: code, the imports it needs, the other names it uses.

    `own` is the name that the code binds (marimo renames a cell's private names). `uses` maps
    names in the code to global names; `early` are those needed while the code is defined.
    """

    name: str
    own: str
    text: str
    label: str
    line: int
    imports: tuple[str, ...]
    uses: Mapping[str, str]
    early: frozenset[str]
    lazy: bool


class Root(NamedTuple):
    """A global name that a worker has to find, and what users call the thing."""

    name: str
    title: str


def capture(namespace: dict[str, Any], roots: Iterable[Root]) -> dict[str, Unit]:
    """Return the units that the roots reach, by global name. Raises DefinitionError."""
    walk = _Capture(namespace)
    for root in roots:
        walk.take(root)
    return walk.units


class _Capture:
    def __init__(self, namespace: dict[str, Any]) -> None:
        self.units: dict[str, Unit] = {}
        self._namespace = namespace
        self._sources = Sources()

    def take(self, root: Root) -> None:
        if root.name not in self._namespace:
            raise DefinitionError(
                f"{root.title} is no longer defined in this notebook",
                hint="run the cell that defines it again",
            )
        waiting: list[tuple[str, _Trail]] = [(root.name, _Trail(root.title, ()))]
        while waiting:
            name, trail = waiting.pop()
            if name not in self.units:
                unit = self._unit(name, trail)
                self.units[name] = unit
                further = trail.through(name, said(unit.label, unit.line))
                waiting += [(each, further) for each in sorted(set(unit.uses.values()))]

    # --- one name ------------------------------------------------------------------------

    def _unit(self, name: str, trail: _Trail) -> Unit:
        value = self._namespace[name]
        piece = self._piece(name, value, trail)
        if piece is not None:
            return self._from_source(name, value, piece, trail)
        text, imports = self._constant(name, value, trail)
        bound = self._sources.binding(name)
        label, line = (bound.label, bound.line) if bound else ("notebook", 1)
        return Unit(name, name, text, label, line, imports, {}, frozenset(), lazy=False)

    def _piece(self, name: str, value: Any, trail: _Trail) -> Piece | None:
        """The source of a function, class or type alias of the notebook; None for a plain value."""
        inner: Any = types.unwrap(value) if callable(value) else value
        if isinstance(inner, FunctionType):
            return self._function(name, value, inner, trail)
        if isinstance(value, type):
            found = self._sources.of_class(value) or self._assigned(name, ast.Call)
            return found or trail.refuse_source(f"class `{value.__qualname__}`")
        if is_type_alias(value):
            return self._assigned(name, ast.Call, ast.Subscript, ast.BinOp, ast.Name, ast.Attribute)
        bound = self._sources.binding(name) if callable(value) else None
        decorated = bound and isinstance(bound.node, ast.FunctionDef | ast.ClassDef)
        return bound if decorated else None

    def _function(self, name: str, value: Any, inner: FunctionType, trail: _Trail) -> Piece:
        piece = self._sources.of_function(inner)
        if piece is not None and (value is inner or _decorates(piece)):
            return piece
        bound = self._sources.binding(name)
        if bound is not None and _decorates(bound):  # which has put another function in its place
            return bound
        if bound is not None and isinstance(bound.node, ast.Assign) and value is not inner:
            return bound  # train = step(fit)
        if "<locals>" in inner.__qualname__:
            trail.refuse(
                name, f"which was made inside a function ({inner.__qualname__})",
                "define it at the top of a cell",
            )  # fmt: skip
        return trail.refuse_source(f"function `{inner.__name__}`")

    def _assigned(self, name: str, *kinds: type[ast.expr]) -> Piece | None:
        bound = self._sources.binding(name)
        if bound is not None and isinstance(bound.node, ast.Assign):
            return bound if isinstance(bound.node.value, kinds) else None
        return None

    def _from_source(self, name: str, value: Any, piece: Piece, trail: _Trail) -> Unit:
        trail = trail.through(name, said(piece.label, piece.line))
        lazy = _is_lazy(value, piece)
        names = names_of(piece.text, lazy=lazy)
        own = _bound_name(piece.node, name)
        self._check_assigned(names, trail)
        imports: set[str] = set()
        uses: dict[str, str] = {}
        for each in names.all:
            found = self._global(each, value, hint=each in names.hints, trail=trail)
            if found is None or (found == name and each == own):
                continue
            line = self._import(each, found, trail)
            if line is None:
                uses[each] = found
            else:
                imports |= {line, *self._submodules(each, found, names, trail)}
        early = frozenset(uses[each] for each in names.early if each in uses)
        return Unit(
            name,
            own,
            piece.text,
            piece.label,
            piece.line,
            tuple(sorted(imports)),
            uses,
            early,
            lazy,
        )

    def _check_assigned(self, names: Names, trail: _Trail) -> None:
        for each in sorted(names.assigned):
            trail.refuse(
                each, "and assigns it: that would stay in the step's own process",
                "return the new value instead",
            )  # fmt: skip

    def _global(self, name: str, value: Any, *, hint: bool, trail: _Trail) -> str | None:
        """The global name that a name in the code stands for; None for one of Python's own."""
        if name in self._namespace:
            return name
        private = _mangled(name, value)
        if private is not None and private in self._namespace:
            return private
        if name in _OWN or (hasattr(builtins, name) and name not in _ADDED):
            return None
        if hint:
            return None
        if name in _ADDED:
            trail.refuse(name, "which only a notebook has", "use it outside of steps")
        trail.refuse(name, "which is not defined in this notebook", "run the cell that defines it")

    # --- values --------------------------------------------------------------------------

    def _import(self, name: str, key: str, trail: _Trail) -> str | None:
        """The import by which a module gets a value, if it came from one."""
        value = self._namespace[key]
        line = imported(name, value)
        if line is not None:
            return line
        if isinstance(value, ModuleType):
            trail.refuse(
                name, "a module that can't be imported", "put it into a file of the project"
            )
        bound = self._sources.binding(key)
        if bound is not None and isinstance(bound.node, ast.ImportFrom) and not bound.node.level:
            for each in bound.node.names:
                module = bound.node.module or ""
                if (each.asname or each.name) == key and provides(module, each.name, value):
                    return from_import(module, each.name, name)
        return None

    def _submodules(self, name: str, key: str, names: Names, trail: _Trail) -> set[str]:
        """Imports of the submodules that the code uses of a module; and nothing put into it."""
        module = self._namespace[key]
        found: set[str] = set()
        for chain in names.chains if isinstance(module, ModuleType) else ():
            present: Any = module
            for part in chain[1:] if chain[0] == name else ():
                inner = getattr(present, part, None)
                if getattr(inner, "__module__", None) == "__main__":
                    trail.refuse(
                        ".".join(chain), "which this notebook has replaced",
                        "call the replacement by its own name",
                    )  # fmt: skip
                if not isinstance(inner, ModuleType):
                    break
                line = imported(inner.__name__, inner)
                if line is not None and inner.__name__.startswith(f"{name}."):
                    found.add(line)
                present = inner
        return found

    def _constant(self, name: str, value: Any, trail: _Trail) -> tuple[str, tuple[str, ...]]:
        try:
            text = literal(value)
        except OverflowError:
            trail.refuse(name, f"a {type(value).__name__} too large to be code", _AS_INPUT)
        if text is not None:
            return f"{name} = {text}\n", ()
        made = construction(value)
        if made is not None:
            line, expression = made
            return f"{name} = {expression}\n", (line,)
        trail.refuse(name, f"{_a(type(value).__name__)}, which can't be captured", _AS_INPUT)


_AS_INPUT = "pass it as an input, or make it inside of the step"


class _Trail(NamedTuple):
    """How a name was reached: the step, then each definition on the way with its place."""

    title: str
    path: tuple[tuple[str, str], ...]

    def through(self, name: str, where: str) -> _Trail:
        return self._replace(path=(*self.path, (name, where)))

    def refuse(self, name: str, why: str, hint: str) -> NoReturn:
        way = f" (through `{self.path[-1][0]}`)" if len(self.path) > 1 else ""
        where = self.path[-1][1] if self.path else None
        what = f"{self.title} uses the global `{name}`{way}, {why}"
        raise DefinitionError(what, where=where, hint=hint)

    def refuse_source(self, what: str) -> NoReturn:
        where = self.path[-1][1] if self.path else None
        raise DefinitionError(
            f"{self.title} needs the source of the {what}, which was typed at a prompt "
            "that keeps none",
            where=where,
            hint="put it into a file of a project and import it, or into a notebook",
        )


def _a(word: str) -> str:
    return f"{'an' if word[:1] in 'AEIOUaeiou' else 'a'} {word}"


def _decorates(piece: Piece) -> bool:
    return isinstance(piece.node, ast.FunctionDef) and bool(piece.node.decorator_list)


def _bound_name(node: ast.stmt, name: str) -> str:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return name


def _is_lazy(value: Any, piece: Piece) -> bool:
    """Whether a piece was compiled with `from __future__ import annotations`."""
    if isinstance(piece.node, ast.ClassDef):
        members = list(vars(value).values()) if isinstance(value, type) else []
        written = [each for each in piece.node.body if isinstance(each, ast.AnnAssign)]
        own: Any = vars(value) if isinstance(value, type) else {}
        kept: dict[str, Any] = own.get("__annotations__", {})
        if any(not isinstance(each.annotation, ast.Constant) for each in written):
            return bool(kept) and all(isinstance(hint, str) for hint in kept.values())
    else:
        members = [types.unwrap(value)] if callable(value) else []
    functions = (each for each in members if isinstance(each, FunctionType))
    return any(each.__code__.co_flags & _LAZY for each in functions)


def _mangled(name: str, value: Any) -> str | None:
    """marimo's name of a name that is private to a cell: `_cell_<id>_x` for `_x`."""
    inner = types.unwrap(value) if callable(value) else None
    if not name.startswith("_") or not isinstance(inner, FunctionType):
        return None
    waiting = [inner.__code__]
    while waiting:
        code = waiting.pop()
        for each in code.co_names:
            if each.startswith("_cell_") and each.endswith(name):
                return each
        waiting += [each for each in code.co_consts if isinstance(each, type(code))]
    return None
