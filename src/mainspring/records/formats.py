"""`stored_as`: ties a format of the project's own to a class, or to one annotation."""

from __future__ import annotations

import re
import sys
from typing import Any, TypeVar, cast

from mainspring.records.errors import DefinitionError

MARK = "__mainspring_stored_as__"
METHODS = ("save", "load")
LAYOUT = (
    "a format is a class with `name`, `save(self, value, path)` and `load(self, path)`: "
    "docs/guide/types.md"
)

T = TypeVar("T")
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)
_SUFFIX = re.compile(r"(\.[A-Za-z0-9_-]{1,16}){0,3}", re.ASCII)
_known: dict[str, str] = {}  # name -> module:Class, of this process


class stored_as:
    """Have values stored by a format of the project.

    `@stored_as(MoleculeFormat)` above a class is for its instances, wherever they occur;
    `Annotated[Molecule, stored_as(MoleculeFormat)]` is for one output, or the elements of one.
    A format is a class that is made without arguments, with a `name` and two methods:
    `save(value, path)` writes a file or a directory at `path`, `load(path)` reads it again. It may
    have a `version` (default 1), a `suffix` for the file's name, `preview(value)` that returns
    a text for people, and `data_only = True` if `load` runs no code that the file names.

    Raises DefinitionError when the class is no format, or another one has its name.
    """

    __slots__ = ("format",)

    def __init__(self, format: type[Any]) -> None:
        self.format = format
        where = _caller()
        problem, hint = _problem(format)
        if problem:
            raise DefinitionError(problem, where=where, hint=hint)
        place = f"{format.__module__}:{format.__qualname__}"
        other = _known.setdefault(format.name, place)
        if other != place:
            raise DefinitionError(
                f"two formats are named {format.name!r}: {other} and {place}",
                where=where,
                hint="give each a name of its own: stored values carry it",
            )

    def __call__(self, cls: type[T]) -> type[T]:
        """Mark a class."""
        given = cast("Any", cls)
        if not isinstance(given, type):
            raise DefinitionError(
                "stored_as(...) goes above a class, or into Annotated[Type, stored_as(...)]",
                where=_caller(),
            )
        setattr(cls, MARK, self)
        return cls

    def __eq__(self, other: object) -> bool:
        return isinstance(other, stored_as) and other.format is self.format

    def __hash__(self) -> int:
        return hash(self.format)

    def __repr__(self) -> str:
        return f"stored_as({self.format.__qualname__})"


def _caller() -> str:
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _problem(given: Any) -> tuple[str, str]:
    """What is wrong with a format, and what to do; empty when nothing is."""
    if not isinstance(given, type):
        return f"stored_as needs a class, not {given!r:.60}", LAYOUT
    found: Any = given
    title = f"the format {found.__qualname__}"
    for method in METHODS:
        if not callable(getattr(found, method, None)):
            return f"{title} has no method `{method}`", LAYOUT
    name = getattr(found, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"{title} has no usable `name`: {name!r}", 'a short text such as "molecule"'
    version = getattr(found, "version", 1)
    if type(version) is not int or version < 1:
        return f"the `version` of {title} is {version!r}", "a whole number from 1 on"
    suffix = getattr(found, "suffix", "")
    if not isinstance(suffix, str) or not _SUFFIX.fullmatch(suffix):
        return f"the `suffix` of {title} is {suffix!r}", 'the end of a file name, such as ".mol"'
    if "<locals>" in found.__qualname__:
        return f"{title} is defined inside a function", "define it at the top level of a module"
    return "", ""
