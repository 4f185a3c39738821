"""Several outputs as one value: taken apart after a step has returned, put together before one."""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from mainspring.definition import types
from mainspring.records.errors import DefinitionError


def outputs_of(annotation: Any) -> dict[str, Any]:
    """Return the outputs that a return annotation makes, by name."""
    named = types.fields_of(annotation)
    if named is not None:
        return named
    parts = types.tuple_parts(annotation)
    if parts is not None:
        return {str(index): part for index, part in enumerate(parts)}
    return {"result": annotation}


def bundle_of(annotation: Any) -> str | None:
    """Return how a return annotation's outputs form one value."""
    if types.fields_of(annotation) is not None:
        return class_path(types.class_of(annotation))
    return None if types.tuple_parts(annotation) is None else "tuple"


def class_path(kind: Any) -> str:
    """Return "module:Class"."""
    return f"{types.module_of(kind)}:{kind.__qualname__}"


def split(value: Any, annotation: Any, *, title: str, where: str) -> dict[str, object]:
    """Return a returned value's outputs by name. Raises DefinitionError for another shape."""
    named = types.fields_of(annotation)
    shown = types.text(annotation)
    if named is None:
        parts = types.tuple_parts(annotation)
        return (
            {"result": value} if parts is None else _tuple(value, len(parts), title, shown, where)
        )
    kind = types.class_of(annotation)
    if typing.is_typeddict(kind):
        return _dict(value, list(named), title, shown, where)
    if not isinstance(value, kind):
        raise DefinitionError(
            f"{title} returned {types.text(cast(Any, type(value)))}, its annotation says {shown}",
            where=where or None,
        )
    return {name: getattr(value, name) for name in named}


def _tuple(value: Any, count: int, title: str, shown: str, where: str) -> dict[str, object]:
    if not isinstance(value, tuple | list):
        got = f"one value ({type(value).__name__})"
    elif len(cast("list[Any]", value)) != count:
        got = f"{len(cast('list[Any]', value))} values"
    else:
        return {str(index): item for index, item in enumerate(cast("list[Any]", value))}
    raise DefinitionError(
        f"{title} returned {got}, its annotation {shown} has {count}", where=where or None
    )


def _dict(value: Any, names: list[str], title: str, shown: str, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        got = f"{type(value).__name__}, its annotation says {shown}"
        raise DefinitionError(f"{title} returned {got}", where=where or None)
    table = cast("dict[str, object]", value)
    for name in names:
        if name not in table:
            raise DefinitionError(
                f"{title} returned a dict without `{name}`, which {shown} has", where=where or None
            )
    for name in table:
        if name not in names:
            raise DefinitionError(
                f"{title} returned a dict with `{name}`, which {shown} has not", where=where or None
            )
    return {name: table[name] for name in names}


def rebuild(bundle: str, items: Mapping[str, Any]) -> Any:
    """Return the one value that outputs form; the inverse of `split`.

    `bundle` is "tuple", "dict" or "module:Class". A dataclass is filled without running its
    `__init__`, which may have worked on its arguments once already.
    """
    if bundle == "tuple":
        return tuple(items.values())
    if bundle == "dict":
        return dict(items)
    kind = load_class(bundle)
    if typing.is_typeddict(kind):
        return dict(items)
    if types.inherits(kind, tuple):
        return kind(**items)
    made = object.__new__(kind)
    for name, value in items.items():
        object.__setattr__(made, name, value)
    return made


def load_class(path: str, *, where: str = "") -> Any:
    """Return the class that "module:Class" names. Raises DefinitionError."""
    module, _, name = path.partition(":")
    try:
        found: Any = sys.modules.get(module) or import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise DefinitionError(
            f"the class `{path}` can't be imported: {error}", where=where or None
        ) from None
    return found
