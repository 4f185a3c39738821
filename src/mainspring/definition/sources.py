"""`Dataset("digits")` and `Model("bert@prod")`: named inputs, resolved when a plan is made."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from mainspring.definition.locations import location
from mainspring.definition.types import inherits, members
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import Reference, reference
from mainspring.records.sources import ROOTS, Kind, Named, named

if TYPE_CHECKING:
    from pathlib import Path

_TABLES = {"pandas.DataFrame", "polars.DataFrame", "pyarrow.Table"}


class Sourced:
    """A dataset or model by name. In a pipeline it stands for what its name resolves to when a
    plan is made; elsewhere it is a path (`open`, `Path` and `pandas.read_csv` take it)."""

    kind: ClassVar[Kind]
    forbidden: ClassVar[str] = ""
    """Why nothing may be resolved now, in this process; empty where it may."""

    if TYPE_CHECKING:
        # A step's parameter says `Path` or `DataFrame`: a type checker must let it be given.
        def __new__(cls, name: str, version: int | str | None = None) -> Any: ...

    def __init__(self, name: str, version: int | str | None = None) -> None:
        where = location()
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DefinitionError(f"a {self.kind}'s name is {name!r}", where=where or None)
        self.named: Named = named(self.kind, name, version, where=where)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.named.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sourced) and self.named == other.named

    def __hash__(self) -> int:
        return hash(self.named)

    def __fspath__(self) -> str:
        return str(self.path())

    def path(self) -> Path:
        """The read-only file or directory of this version, in the project at hand (that of the
        working directory). Raises NotFoundError, ProjectError."""
        return self.value(None)

    def value(self, annotation: Any) -> Any:
        """What a step whose parameter is so annotated is given: a path, or a table."""
        if self.forbidden:
            raise DefinitionError(
                f"{self!r} was opened while {self.forbidden}",
                where=location() or None,
                hint="give it to the step as an input, so that its version is recorded",
            )
        return import_module("mainspring.app.inputs").open_here(self.named, annotation)


class Dataset(Sourced):
    """A version of a dataset: the newest when the plan is made, or the one that is named."""

    kind = "dataset"


class Model(Sourced):
    """A version of an imported model: by number, by alias, or the newest."""

    kind = "model"


CLASSES: dict[str, type[Sourced]] = {"datasets": Dataset, "models": Model}


def tree_of(source: Sourced) -> ast.expr:
    """Return the tree by which a source is written: `datasets.digits`, `datasets['a@v3']`."""
    return reference(f"{source.kind}s", source.named.text)


def canonical(found: Reference, where: str) -> ast.expr:
    """Return the one tree by which a reference to a source is written. Raises DefinitionError."""
    kind = ROOTS[found.root]
    if found.path:
        raise DefinitionError(
            f"`{found.root}.{found.name}` is a {kind}: it has no `{found.path[0]}` here",
            where=where or None,
            hint=f"look into it in a step; a version is written `{found.root}['{found.name}@v3']`",
        )
    return reference(found.root, named(kind, found.name, where=where).text)


def table_of(annotation: Any) -> str | None:
    """Return which kind of table an annotation asks for, of those that a file is read as."""
    for member in members(annotation):
        module, name = getattr(member, "__module__", ""), getattr(member, "__name__", "")
        found = f"{module.partition('.')[0]}.{name}"
        if found in _TABLES:
            return found
    return None


def is_source(annotation: Any) -> bool:
    """Say whether an annotation is that of a dataset or model, before it is opened."""
    return inherits(annotation, Sourced)


def refuse_as_input(annotations: Mapping[str, Any], title: str, where: str) -> None:
    """Raise DefinitionError where a step's input is annotated as a source, not as what it gets."""
    for name, annotation in annotations.items():
        if any(is_source(member) for member in members(annotation)):
            raise DefinitionError(
                f"input `{name}` of {title} is annotated `{annotation.__name__}`",
                where=where or None,
                hint="a step gets what is in it: annotate it `pathlib.Path`, or as a DataFrame",
            )
