"""Global values of a notebook that can be written as code: plain values, imports, a few more."""

from __future__ import annotations

import importlib
import math
import sys
import typing
from pathlib import PurePath
from types import EllipsisType, GenericAlias, ModuleType, NoneType, UnionType
from typing import Any, cast

LONGEST = 100_000
"""Characters of a plain value at most: what is larger is data, not code."""

_EXACT = (NoneType, EllipsisType, bool, int, str, bytes, range)


def literal(value: Any) -> str | None:
    """The text of a number, text, bytes, or of a list, tuple, set or dict of them; None for others.

    Raises OverflowError when it is too long to be code.
    """
    try:
        text = _text(value, set())
    except RecursionError:
        return None
    if text is not None and len(text) > LONGEST:
        raise OverflowError
    return text


def _text(value: Any, seen: set[int]) -> str | None:
    kind = cast("type[Any]", type(value))
    if kind in _EXACT:
        return _number(cast("int", value)) if kind is int else repr(value)
    if kind is float or kind is complex:
        return repr(value) if _finite(value) else f'{kind.__name__}("{value}")'
    if kind not in (list, tuple, set, frozenset, dict) or id(value) in seen:
        return None
    seen = {*seen, id(value)}
    parts = _items(value, seen)
    return None if parts is None else _joined(kind, parts)


def _number(value: int) -> str:
    return hex(value) if abs(value) >> 1024 else repr(value)  # Python limits decimal digits


def _finite(value: complex) -> bool:
    return math.isfinite(value.real) and math.isfinite(value.imag)


def _items(value: Any, seen: set[int]) -> list[str] | None:
    found: list[str] = []
    size = 0
    items: Any = cast("dict[Any, Any]", value).items() if isinstance(value, dict) else value
    for item in items:
        if isinstance(value, dict):
            key, inner = _text(item[0], seen), _text(item[1], seen)
            text = None if key is None or inner is None else f"{key}: {inner}"
        else:
            text = _text(item, seen)
        if text is None:
            return None
        size += len(text)
        if size > LONGEST:
            raise OverflowError
        found.append(text)
    return sorted(found) if isinstance(value, set | frozenset) else found


def _joined(kind: type, parts: list[str]) -> str:
    inside = ", ".join(parts)
    if kind is dict:
        return f"{{{inside}}}"
    if kind is list:
        return f"[{inside}]"
    if kind is tuple:
        return f"({inside},)" if len(parts) == 1 else f"({inside})"
    if kind is set:
        return f"{{{inside}}}" if parts else "set()"
    return f"frozenset({{{inside}}})" if parts else "frozenset()"


def construction(value: Any) -> tuple[str, str] | None:
    """An import line and an expression that make an equal value: a path, a pattern, a logger."""
    kind = cast("type[Any]", type(value))
    if issubclass(kind, PurePath) and kind.__module__.partition(".")[0] == "pathlib":
        name = "Path" if kind.__name__ in ("PosixPath", "WindowsPath") else kind.__name__
        return f"from pathlib import {name}", f"{name}({str(value)!r})"
    if (kind.__module__, kind.__name__) == ("re", "Pattern") and isinstance(value.pattern, str):
        return "import re", f"re.compile({value.pattern!r}, {value.flags & ~32})"
    if (kind.__module__, kind.__name__) == ("logging", "Logger"):
        return "import logging", f"logging.getLogger({value.name!r})"
    return None


def is_type_alias(value: Any) -> bool:
    """Whether a value is a type that was given a name: `list[int]`, `int | None`, a TypeVar."""
    return isinstance(value, GenericAlias | UnionType | typing.TypeVar | typing.NewType) or (
        type(value).__module__ == "typing" and not isinstance(value, type)
    )


def imported(name: str, value: Any) -> str | None:
    """The import statement that binds `name` to a module, or to what a module defines."""
    if isinstance(value, ModuleType):
        path = value.__name__
        if sys.modules.get(path) is not value or path == "__main__":
            return None
        return f"import {path}" if path == name else f"import {path} as {name}"
    module: Any = getattr(value, "__module__", None)
    if not isinstance(module, str) or module in ("__main__", "builtins"):
        return None
    for own in dict.fromkeys((getattr(value, "__name__", name), name)):
        home = _home(module, own, value) if isinstance(own, str) else None
        if home is not None:
            return from_import(home, own, name)
    return None


def from_import(module: str, own: str, name: str) -> str:
    """`from module import own as name`."""
    return f"from {module} import {own}" + ("" if own == name else f" as {name}")


def _home(module: str, own: str, value: Any) -> str | None:
    """The shortest module that has the value: `sklearn.svm` rather than `sklearn.svm._classes`."""
    parts = module.split(".")
    if parts[0] == "mainspring":
        package = sys.modules["mainspring"]
        if own in package.__all__ and getattr(package, own) is value:
            return "mainspring"
    for count in range(1, len(parts) + 1):
        path = ".".join(parts[:count])
        found = sys.modules.get(path)
        if found is not None and vars(found).get(own) is value:
            return path
    return None


def provides(module: str, own: str, value: Any) -> bool:
    """Whether `from module import own` would give the value that is there."""
    found = sys.modules.get(module)
    if found is None:
        return False
    missing = object()
    given = getattr(found, own, missing)
    if given is missing and f"{module}.{own}" in sys.modules:
        given = importlib.import_module(f"{module}.{own}")
    return given is value
