"""Python values as canonical JSON: what plain JSON lacks is written as a tagged object.

A tag is an object with one key that starts with `$`; a dict that would look like one is wrapped
in `$escaped`. See docs/reference/formats.md for the list.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import enum
import math
import uuid
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from mainspring.records.formats import MARK
from mainspring.storage.serializers.base import Unsupported, damaged, type_text
from mainspring.storage.serializers.classes import class_name, find_class

_encoder = msgspec.json.Encoder(order="sorted")
_PLAIN = frozenset((bool, int, str, type(None)))


def encode(value: object) -> bytes:
    """The canonical JSON of a value; raises Unsupported, with the place, if it has none."""
    try:
        return _encoder.encode(_plain(value, ""))
    except UnicodeEncodeError as error:
        raise Unsupported("a text in it has a lone surrogate: UTF-8 has no form for it") from error
    except RecursionError as error:
        raise Unsupported("it contains itself, or is nested too deeply") from error


def decode(data: bytes) -> object:
    """The value of canonical JSON; raises SerializationError if it is not that."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(f"it is not JSON ({error})") from error
    return _restore(value) if b'"$' in data else value


def elements(data: bytes) -> list[bytes] | None:
    """The JSON of each element if the value is a list, else None. Nothing is decoded."""
    if not data.startswith(b"["):
        return None
    try:
        return [bytes(raw) for raw in msgspec.json.decode(data, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(f"it is not JSON ({error})") from error


# Writing


def _plain(value: Any, where: str) -> Any:
    kind: type[Any] = cast("type[Any]", type(value))
    if kind in _PLAIN:
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if kind is list:
        return _plain_list(value, where)
    if kind is dict:
        return _plain_dict(value, where)
    write = _WRITERS.get(kind)
    if write is not None:
        return write(value, where)
    return _plain_object(value, where)


def _plain_list(value: list[Any] | tuple[Any, ...], where: str) -> list[Any]:
    kinds = set(map(type, value))
    if kinds <= _PLAIN or (kinds == {float} and all(map(math.isfinite, value))):
        return list(value)
    return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]


def _plain_dict(value: dict[Any, Any], where: str) -> dict[str, Any]:
    keys = [_key(key) for key in value]
    if not all(type(key) is str for key in keys):
        pairs = [
            [_plain(key, f"{where} key"), _plain(item, f"{where}[{key!r}]")]
            for key, item in zip(keys, value.values(), strict=True)
        ]
        return {"$dict": sorted(pairs, key=_order_of_first)}
    plain = {
        key: _plain(item, f"{where}[{key!r}]")
        for key, item in zip(keys, value.values(), strict=True)
    }
    if len(plain) == 1 and next(iter(plain)).startswith("$"):
        return {"$escaped": plain}
    return plain


def _key(key: Any) -> Any:
    return key.item() if type(key).__module__ == "numpy" and hasattr(key, "item") else key


def _order_of_first(pair: list[Any]) -> bytes:
    return _encoder.encode(pair[0])


def _plain_set(tag: str) -> Callable[[Any, str], Any]:
    def write(value: Any, where: str) -> Any:
        return {tag: sorted((_plain(item, f"{where} item") for item in value), key=_encoder.encode)}

    return write


def _write_datetime(value: dt.datetime | dt.time, where: str) -> Any:
    zone = value.tzinfo
    tag = "$datetime" if isinstance(value, dt.datetime) else "$time"
    name: str | None = None
    if isinstance(zone, zoneinfo.ZoneInfo):
        name = zone.key
    elif zone is not None and type(zone) is not dt.timezone:
        raise Unsupported(
            f"its time zone is a {type_text(zone)}",
            where=where,
            hint="use datetime.timezone or zoneinfo.ZoneInfo",
        )
    text = value.replace(tzinfo=None).isoformat() if name else value.isoformat()
    return {tag: [text, name, value.fold] if name or value.fold else text}


_WRITERS: dict[type, Callable[[Any, str], Any]] = {
    tuple: lambda value, where: {"$tuple": _plain_list(value, where)},
    set: _plain_set("$set"),
    frozenset: _plain_set("$frozenset"),
    bytes: lambda value, _: {"$bytes": base64.b64encode(value).decode("ascii")},
    complex: lambda value, where: {
        "$complex": [_plain(value.real, where), _plain(value.imag, where)]
    },
    dt.datetime: _write_datetime,
    dt.time: _write_datetime,
    dt.date: lambda value, _: {"$date": value.isoformat()},
    dt.timedelta: lambda value, _: {"$timedelta": [value.days, value.seconds, value.microseconds]},
    decimal.Decimal: lambda value, _: {"$decimal": str(value)},
    uuid.UUID: lambda value, _: {"$uuid": str(value)},
}


def _plain_object(value: Any, where: str) -> Any:
    kind = cast("type[Any]", type(value))
    if kind.__module__ == "numpy" and hasattr(value, "item") and kind.__name__ != "ndarray":
        return _plain_numpy(value, where)
    if isinstance(value, enum.Enum):
        # The value too: expressions compare by it, without importing the class.
        plain = _plain(value.value, where) if _has_plain_value(value) else None
        return {"$enum": [class_name(kind, where), _enum_member(value, where), plain]}
    if hasattr(kind, MARK):
        raise Unsupported("it has a format of its own", where=where)
    if _is_namedtuple(kind):
        return {"$namedtuple": [class_name(kind, where), _plain_list(tuple(value), where)]}
    if isinstance(value, msgspec.Struct):
        fields = {name: getattr(value, name) for name in kind.__struct_fields__}
        return {"$struct": [class_name(kind, where), _fields(fields, where)]}
    if dataclasses.is_dataclass(kind):
        return {"$dataclass": [class_name(kind, where), _fields(_dataclass(value, where), where)]}
    raise Unsupported(f"JSON has no form for a {type_text(value)}", where=where)


def _plain_numpy(value: Any, where: str) -> Any:
    item = value.item() if getattr(value, "ndim", 1) == 0 else None
    if value.dtype.kind in "Mm" or not isinstance(item, bool | int | float | complex | str | bytes):
        raise Unsupported(f"JSON has no exact form for a {type_text(value)}", where=where)
    return _plain(item, where)


def _has_plain_value(value: enum.Enum) -> bool:
    return isinstance(value.value, bool | int | float | str)


def _enum_member(value: enum.Enum, where: str) -> Any:
    # By name, which says more; a combination of flags has none that can be looked up.
    if value.name in type(value).__members__:
        return value.name
    return [_plain(value.value, where)]


def _dataclass(value: Any, where: str) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(value)]
    extra = set(getattr(value, "__dict__", ())) - set(names)
    missing = [name for name in names if not hasattr(value, name)]
    if extra or missing:
        raise Unsupported(
            f"the {type_text(value)} does not hold just its fields: "
            f"{', '.join(sorted(extra) + missing)}",
            where=where,
        )
    return {name: getattr(value, name) for name in names}


def _fields(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {name: _plain(item, f"{where}.{name}") for name, item in fields.items()}


# Reading


def _restore(value: Any) -> Any:
    if isinstance(value, list):
        return [_restore(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    items = cast("dict[str, Any]", value)
    if len(items) == 1:
        tag = next(iter(items))
        if tag.startswith("$"):
            return _restore_tag(tag, items[tag])
    return {key: _restore(item) for key, item in items.items()}


def _restore_tag(tag: str, content: Any) -> Any:
    read = _READERS.get(tag)
    if read is None:
        raise damaged(f"unknown tag {tag!r}; it may be from a newer version")
    try:
        return read(content)
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError) as error:
        raise damaged(f"the content of {tag} does not fit: {error}") from error


def _read_datetime(content: Any) -> dt.datetime:
    if isinstance(content, str):
        return dt.datetime.fromisoformat(content)
    text, name, fold = content
    value = dt.datetime.fromisoformat(text).replace(fold=fold)
    return value.replace(tzinfo=zoneinfo.ZoneInfo(name)) if name else value


def _read_time(content: Any) -> dt.time:
    if isinstance(content, str):
        return dt.time.fromisoformat(content)
    text, name, fold = content
    value = dt.time.fromisoformat(text).replace(fold=fold)
    return value.replace(tzinfo=zoneinfo.ZoneInfo(name)) if name else value


def _read_enum(content: Any) -> Any:
    name, member, _ = content
    cls: Any = find_class(name, "an Enum", lambda found: issubclass(found, enum.Enum))
    return cls[member] if isinstance(member, str) else cls(_restore(member[0]))


def _read_namedtuple(content: Any) -> Any:
    name, items = content
    cls: Any = find_class(name, "a NamedTuple", _is_namedtuple)
    if len(items) != len(cls._fields):
        raise ValueError(f"{name} has {len(cls._fields)} fields, not {len(items)}")
    return cast("Any", tuple).__new__(cls, [_restore(item) for item in items])


def _is_namedtuple(cls: Any) -> bool:
    return issubclass(cls, tuple) and hasattr(cast("Any", cls), "_fields")


def _read_struct(content: Any) -> Any:
    name, fields = content
    cls: Any = find_class(name, "a msgspec.Struct", lambda found: issubclass(found, msgspec.Struct))
    if set(fields) != set(cls.__struct_fields__):
        raise ValueError(f"the fields of {name} have changed")
    return cls(**{key: _restore(item) for key, item in fields.items()})


def _read_dataclass(content: Any) -> Any:
    name, fields = content
    cls: Any = find_class(name, "a dataclass", dataclasses.is_dataclass)
    if set(fields) != {field.name for field in dataclasses.fields(cls)}:
        raise ValueError(f"the fields of {name} have changed")
    value = object.__new__(cls)  # as it was, not as __init__ would make it again
    for key, item in fields.items():
        object.__setattr__(value, key, _restore(item))
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "$escaped": lambda content: {key: _restore(item) for key, item in content.items()},
    "$dict": lambda content: {_restore(key): _restore(item) for key, item in content},
    "$float": float,
    "$tuple": lambda content: tuple(_restore(item) for item in content),
    "$set": lambda content: {_restore(item) for item in content},
    "$frozenset": lambda content: frozenset(_restore(item) for item in content),
    "$bytes": lambda content: base64.b64decode(content, validate=True),
    "$complex": lambda content: complex(_restore(content[0]), _restore(content[1])),
    "$datetime": _read_datetime,
    "$time": _read_time,
    "$date": dt.date.fromisoformat,
    "$timedelta": lambda content: dt.timedelta(*content),
    "$decimal": decimal.Decimal,
    "$uuid": uuid.UUID,
    "$enum": _read_enum,
    "$namedtuple": _read_namedtuple,
    "$struct": _read_struct,
    "$dataclass": _read_dataclass,
}
