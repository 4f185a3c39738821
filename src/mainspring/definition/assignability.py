"""May a value of one type stand where another is asked: refused where certain, else allowed."""

from __future__ import annotations

import collections.abc
import enum
import math
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from mainspring.definition import types
from mainspring.definition.sources import Model, is_source, table_of
from mainspring.definition.types import NoneType, inherits, is_unknown, members, strip

_TOWER: dict[type, tuple[type, ...]] = {
    bool: (bool, int, float, complex),
    int: (int, float, complex),
    float: (float, complex),
}


_STREAMS = (collections.abc.Iterator, collections.abc.Generator)


def assignable(source: Any, target: Any) -> bool:
    """Say whether a `source` value may be given to a `target` port.

    Of a union as source it is enough that one member fits: which one it is, only the run shows.
    """
    source, target = _stored(strip(source)), strip(target)
    if is_unknown(source) or is_unknown(target) or source == target:
        return True
    sources, targets = members(source), members(target)
    if len(sources) > 1 or len(targets) > 1:
        return any(assignable(one, other) for one in sources for other in targets)
    if typing.get_origin(source) is typing.Literal:
        return any(accepts(value, target) for value in typing.get_args(source))
    if typing.get_origin(target) is typing.Literal:
        return any(assignable(source, type(value)) for value in typing.get_args(target))
    given, wanted = types.class_of(source), types.class_of(target)
    if given is None or wanted is None:
        return True
    if is_source(given) and not is_source(wanted):
        return _source_fits(given, target)
    return _class_fits(given, wanted) and _arguments_fit(source, target)


def _stored(source: Any) -> Any:
    """What becomes of an output on its way: what an iterator gives is stored as a list."""
    if types.class_of(source) not in _STREAMS:
        return source
    args = typing.get_args(source)
    return list[args[0]] if args else list


def _source_fits(given: Any, target: Any) -> bool:
    """A dataset is given as a path, or as a table; what else a model may be, its version shows."""
    if is_path(target) or table_of(target) is not None:
        return True
    return given is Model and not is_data(target)


def _class_fits(given: Any, wanted: Any) -> bool:
    if is_unknown(given) or is_unknown(wanted) or wanted in _TOWER.get(given, ()):
        return True
    if typing.is_typeddict(wanted):
        return inherits(given, dict) and (given is wanted or not typing.is_typeddict(given))
    if is_numpy_scalar(given) and wanted in (bool, int, float, complex):
        return True
    try:
        return issubclass(given, wanted)
    except TypeError:
        return True


def is_numpy_scalar(kind: type) -> bool:
    """Say whether a class is a numpy scalar type, without importing numpy."""
    return any(base.__name__ == "generic" and base.__module__ == "numpy" for base in kind.__mro__)


def _arguments_fit(source: Any, target: Any) -> bool:
    wanted = typing.get_args(target)
    origin = typing.get_origin(target)
    if not wanted or not isinstance(origin, type):
        return True
    if issubclass(origin, tuple):
        return _tuples_fit(source, target)
    if issubclass(origin, collections.abc.Mapping) and len(wanted) == 2:
        given = typing.get_args(source)
        return len(given) != 2 or all(map(assignable, given, wanted))
    if issubclass(origin, collections.abc.Iterable) and len(wanted) == 1:
        return _is_container(source) is False or assignable(element_of(source), wanted[0])
    return True


def _is_container(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    return isinstance(origin, type) and origin.__module__ in ("builtins", "collections.abc")


def _tuples_fit(source: Any, target: Any) -> bool:
    wanted = types.tuple_parts(target)
    given = types.tuple_parts(source)
    if wanted is None:
        return assignable(element_of(source), element_of(target))
    if given is None:
        return all(assignable(element_of(source), part) for part in wanted)
    return len(given) == len(wanted) and all(map(assignable, given, wanted))


def element_of(annotation: Any) -> Any:
    """Return the type of what iterating over a value gives; Any where that is unknown."""
    found: list[Any] = []
    for member in members(annotation):
        args = typing.get_args(member)
        origin = typing.get_origin(member)
        if member is str:
            found.append(str)
        elif origin is tuple:
            found.append(types.union([arg for arg in args if arg is not ...]))
        elif args and _is_container(member):
            found.append(args[0])
        else:
            return Any
    return types.union(found)


def is_listlike(annotation: Any) -> bool:
    """Say whether a value may be a list or tuple, over which a step can be mapped."""
    for member in members(annotation):
        kind = types.class_of(member)
        if kind is None or is_unknown(kind) or issubclass(kind, list | tuple):
            return True
        if kind.__module__ in ("collections.abc", "typing") and not issubclass(kind, Mapping):
            return True
    return False


def accepts(value: Any, annotation: Any) -> bool:
    """Say whether a JSON value may be given to a port: Path takes text, an Enum its values."""
    for target in members(annotation):
        if is_unknown(target):
            return True
        if typing.get_origin(target) is typing.Literal:
            options = [_plain_value(option) for option in typing.get_args(target)]
            if any(type(value) is type(option) and value == option for option in options):
                return True
        elif _fits(value, target):
            return True
    return False


def _plain_value(option: Any) -> Any:
    return option.value if isinstance(option, enum.Enum) else option


def _fits(value: Any, target: Any) -> bool:
    kind = types.class_of(target)
    if kind is None:
        return True
    if isinstance(value, enum.Enum):
        return isinstance(value, kind)
    if is_path(kind):
        return isinstance(value, str)
    if issubclass(kind, enum.Enum):
        return any(type(value) is type(item.value) and value == item.value for item in kind)
    if isinstance(value, list):
        return _list_fits(cast("list[Any]", value), target, kind)
    if isinstance(value, dict):
        return _dict_fits(cast("dict[str, Any]", value), target, kind)
    return _class_fits(type(value), kind)


def _list_fits(value: list[Any], target: Any, kind: Any) -> bool:
    parts = types.tuple_parts(target)
    if parts is not None:
        return len(parts) == len(value) and all(map(accepts, value, parts))
    named = types.fields_of(target) if issubclass(kind, tuple) else None
    if named is not None or not (kind is tuple or _class_fits(list, kind)):
        return False
    args = typing.get_args(target)
    return not args or all(accepts(item, args[0]) for item in value)


def _dict_fits(value: dict[str, Any], target: Any, kind: Any) -> bool:
    if typing.is_typeddict(kind):
        named = types.fields_of(kind)
        return named is None or (
            value.keys() == named.keys()
            and all(accepts(value[name], named[name]) for name in named)
        )
    args = typing.get_args(target)
    if not _class_fits(dict, kind):
        return False
    if len(args) == 2:
        return not value or (
            accepts("", args[0]) and all(accepts(item, args[1]) for item in value.values())
        )
    return not args or accepts("", args[0])


def is_path(kind: Any) -> bool:
    """Say whether a class is a pathlib path, without importing pathlib."""
    return isinstance(kind, type) and any(
        base.__name__ == "PurePath" and base.__module__.startswith("pathlib")
        for base in kind.__mro__
    )


def revive(value: Any, annotation: Any) -> Any:
    """Return the Python value that a JSON value stands for in a port: a Path from text, an Enum
    member from its value, a tuple from a list, at any depth. Anything else is returned as it is."""
    for target in members(annotation):
        if not is_unknown(target) and accepts(value, target):
            return _revived(value, target)
    return value


def _revived(value: Any, target: Any) -> Any:
    kind = types.class_of(target)
    args = typing.get_args(target)
    if kind is None:
        return value
    if isinstance(value, str | int | float | None) and (
        is_path(kind) or issubclass(kind, enum.Enum)
    ):
        return kind(value)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        parts = types.tuple_parts(target) or [args[0] if args else Any] * len(items)
        made = [revive(item, part) for item, part in zip(items, parts, strict=True)]
        return tuple(made) if kind is tuple else made
    if isinstance(value, dict) and len(args) == 2:
        table = cast("dict[str, Any]", value)
        return {key: revive(item, args[1]) for key, item in table.items()}
    return cast(Any, value)


def is_data(annotation: Any) -> bool:
    """Say whether a value may be JSON data, which expressions can compute with."""
    return any(_member_is_data(member) for member in members(annotation))


def _member_is_data(member: Any) -> bool:
    kind = typing.get_origin(member) or member
    if kind in _STREAMS:
        return False  # its elements are, and they are stored one by one
    if (
        is_unknown(member)
        or not isinstance(kind, type)
        or kind in (str, bool, int, float, NoneType)
    ):
        return True
    named = types.fields_of(member)
    if named is not None:
        return all(is_data(part) for part in named.values())
    if inherits(kind, enum.Enum):
        return all(isinstance(v, bool | int | float | str | None) for v in _enum_values(kind))
    if is_numpy_scalar(kind) or typing.is_typeddict(kind):
        return True
    if inherits(kind, list, tuple, dict) or kind.__module__ == "collections.abc":
        return all(is_data(arg) for arg in typing.get_args(member) if arg is not ...)
    return inherits(kind, str, int, float)


def overlaps(left: Any, right: Any) -> bool:
    """Say whether a value of one type can equal a value of the other."""
    return any(_may_equal(a, b) for a in members(left) for b in members(right))


def _may_equal(left: Any, right: Any) -> bool:
    if is_unknown(left) or is_unknown(right):
        return True
    left_values, right_values = _values(left), _values(right)
    if left_values is not None and right_values is not None:
        return any(a == b for a in left_values for b in right_values)
    if left_values is not None:
        return any(_related(type(value), right) for value in left_values)
    if right_values is not None:
        return any(_related(left, type(value)) for value in right_values)
    return _related(left, right)


def _related(left: Any, right: Any) -> bool:
    return assignable(left, right) or assignable(right, left)


def _values(annotation: Any) -> Iterable[Any] | None:
    """Return all values that a type has, where they can be listed."""
    if annotation is bool:
        return (False, True)
    if typing.get_origin(annotation) is typing.Literal:
        return [_plain_value(option) for option in typing.get_args(annotation)]
    return _enum_values(annotation) if inherits(annotation, enum.Enum) else None


def _enum_values(kind: Any) -> list[Any]:
    return [item.value for item in kind]


def has_odd_float(value: Any) -> bool:
    """Say whether a literal holds nan or infinity, for which JSON has no word."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(has_odd_float(item) for item in cast("Mapping[str, Any]", value).values())
    return isinstance(value, list | tuple) and any(
        has_odd_float(item) for item in cast("Sequence[Any]", value)
    )
