"""Which types of a skops archive may be made: scikit-learn's own, that hold nothing but data.

A name in an archive may be called with arguments that the archive chooses, so that a package's
name alone says nothing: `numpy.load` reads pickles, `builtins.eval` runs text. Beyond what skops
trusts by itself, only classes are taken that scikit-learn (or scipy's interpolation and sparse
matrices) defines itself, and functions that score, where the archive merely refers to them.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any, cast

_CLASSES = ("sklearn.", "scipy.interpolate.", "scipy.sparse.")
_FUNCTIONS = ("sklearn.feature_selection.", "sklearn.metrics.")
_DATA = frozenset(("numpy.dtype",))
_LOOKED_UP = frozenset(("scipy._lib.array_api_compat.numpy._aliases.asarray",))  # by BSpline
_NEVER = frozenset(
    ("datasets", "externals", "tests", "conftest", "_testing", "parallel", "_build_utils")
)


def untrusted(archive: bytes, schema: dict[str, Any]) -> list[str]:
    """Names of the types in a skops archive that must not be made, sorted."""
    import skops.io

    found: list[str] = skops.io.get_untrusted_types(data=archive)
    called, named = _uses(schema)
    looked_up = named - called
    return sorted(
        name for name in found if not _is_data(name) and not (name in looked_up and _is_score(name))
    )


def _uses(schema: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Names that reading may call, and names that it merely looks up."""
    called: set[str] = set()
    named: set[str] = set()
    for node in _nodes(schema):
        name = f"{node.get('__module__')}.{node.get('__class__')}"
        (named if node["__loader__"] == "FunctionNode" else called).add(name)
    return called, named


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        node = cast("dict[str, Any]", value)
        if isinstance(node.get("__loader__"), str):
            yield node
        for child in node.values():
            yield from _nodes(child)
    elif isinstance(value, list):
        for child in cast("list[Any]", value):
            yield from _nodes(child)


def _find(name: str, packages: tuple[str, ...]) -> Any:
    module, _, attribute = name.rpartition(".")
    if not name.startswith(packages) or _NEVER & set(module.split(".")):
        return None
    try:
        return getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        return None


def _is_data(name: str) -> bool:
    if name in _DATA:
        return True
    found = _find(name, _CLASSES)
    return inspect.isclass(found) and found.__module__.startswith(_CLASSES)


def _is_score(name: str) -> bool:
    if name in _LOOKED_UP:
        return True
    found = _find(name, _FUNCTIONS)
    return inspect.isfunction(found) and found.__module__.startswith(_FUNCTIONS)
