"""The format "object": an instance of a class with fields, or a special collection, as a pack.

Each field has a format of its own. The class is found by its name and is not called: a value comes
back as it was, not as `__init__` would make it again.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import typing
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import msgspec

from mainspring.records.errors import SerializationError
from mainspring.storage.serializers.base import ROOT, Sink, Source, Unsupported, damaged, shorten
from mainspring.storage.serializers.classes import class_name, find_class
from mainspring.storage.serializers.pack import Pack, PackWriter

SHOWN = 10  # fields in a preview
_FACTORIES = {kind.__name__: kind for kind in (list, dict, set, int, float, str, tuple, bool)}
_FACTORIES["OrderedDict"] = collections.OrderedDict
_MAPPINGS: dict[str, Callable[[Any], Any]] = {
    "OrderedDict": collections.OrderedDict,
    "Counter": collections.Counter,
}


class Parts(NamedTuple):
    """A value taken apart: what it is, and its parts by key."""

    about: dict[str, Any]
    keys: list[Any]
    values: list[Any]


class Object:
    """Dataclasses, NamedTuples, Structs, pydantic models, boosters' estimators, OrderedDict, …"""

    name = "object"
    data_only = True
    refers = True

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the parts, their keys and the name of the class."""
        parts = _take_apart(value)
        writer = PackWriter(sink)
        hints = _marked_fields(type(value)) if "class" in parts.about else {}
        for key, item in zip(parts.keys, parts.values, strict=True):
            try:
                writer.add(item, hints.get(key))
            except SerializationError as error:  # say which part it was
                inner = (error.where or ROOT).removeprefix(ROOT)
                place = f".{key}" if "class" in parts.about else f"[{key!r}]"
                raise SerializationError(
                    error.what, where=f"{ROOT}{place}{inner}", hint=error.hint
                ) from error
        writer.finish({**parts.about, "keys": parts.keys})

    def load(self, source: Source) -> object:
        """Read the parts, and put them together."""
        pack = Pack(source)
        about = pack.about()
        keys = _keys(about, pack)
        values = [pack.load(entry) for entry in pack.entries()]
        try:
            return _put_together(about, dict(zip(keys, values, strict=True)), values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise damaged(f"its parts do not fit ({error})") from error

    def preview(self, source: Source, limit: int) -> str:
        """The class and the first parts; the class is not imported."""
        pack = Pack(source)
        about = pack.about()
        lines = [str(about.get("class", about.get("kind"))).replace(":", ".")]
        for index, key in enumerate(_keys(about, pack)[:SHOWN]):
            entry = pack.entry(index)
            inner = source.reading.codecs.named(entry.format).preview(pack.open(entry), limit // 4)
            lines.append(f"{key}: {inner}")
        if pack.count > SHOWN:
            lines.append(f"… and {pack.count - SHOWN} more")
        return shorten("\n".join(lines), limit)

    def references(self, source: Source) -> Iterator[str]:
        """Blobs that parts refer to."""
        return Pack(source).references()

    def classes(self, source: Source) -> Iterator[str]:
        """The class of the object itself."""
        name = Pack(source).about().get("class")
        if isinstance(name, str):
            yield name


@functools.lru_cache(maxsize=256)
def _marked_fields(cls: type) -> dict[str, object]:
    """The annotations of fields that name a format of the project."""
    read: Callable[..., dict[str, Any]] = typing.get_type_hints
    try:
        found = read(cls, include_extras=True)
    except (NameError, TypeError, AttributeError):  # an annotation that can't be resolved here
        return {}
    return {name: hint for name, hint in found.items() if "stored_as(" in repr(hint)}


def _keys(about: dict[str, Any], pack: Pack) -> list[Any]:
    keys = about.get("keys")
    if not isinstance(keys, list) or len(cast("list[Any]", keys)) != pack.count:
        raise damaged("it does not have one key for each value")
    return cast("list[Any]", keys)


def _take_apart(value: Any) -> Parts:
    kind = cast("type[Any]", type(value))
    if kind.__module__ == "collections":
        return _collection(value, kind)
    name = _kind_of(kind)
    if name is None:
        raise Unsupported("it has no fields that could be stored one by one")
    about: dict[str, Any] = {"kind": name, "class": class_name(kind, "")}
    fields = _fields(value, name, about)
    return Parts(about, list(fields), list(fields.values()))


def _fields(value: Any, name: str, about: dict[str, Any]) -> dict[str, Any]:
    kind = cast("type[Any]", type(value))
    if name == "namedtuple":
        return dict(zip(kind._fields, value, strict=True))
    if name == "struct":
        return {key: getattr(value, key) for key in kind.__struct_fields__}
    if name == "dataclass":
        names = [field.name for field in dataclasses.fields(value)]
        if set(getattr(value, "__dict__", ())) - set(names):
            raise Unsupported("it does not hold just its fields")
        if not all(hasattr(value, key) for key in names):
            raise Unsupported("a field of it is not set")
        return {key: getattr(value, key) for key in names}
    if name == "pydantic":
        about["set"] = sorted(value.__pydantic_fields_set__)
        more = {"extra": value.__pydantic_extra__, "private": value.__pydantic_private__}
        about["more"] = sorted(key for key in more if more[key] is not None)
        kept = {f"__{key}": more[key] for key in about["more"]}
        return {**value.__dict__, **kept}
    return dict(sorted(value.__dict__.items()))


def _collection(value: Any, kind: type[Any]) -> Parts:
    if kind is collections.deque:
        items = list(value)
        about = {"kind": "deque", "maxlen": value.maxlen}
        return Parts(about, list(range(len(items))), items)
    about: dict[str, Any] = {"kind": kind.__name__}
    if kind is collections.defaultdict:
        factory = value.default_factory
        about["factory"] = getattr(factory, "__name__", None)
        if factory is not None and _FACTORIES.get(factory.__name__) is not factory:
            raise Unsupported("its default is made by a function", hint="return dict(value)")
    elif kind.__name__ not in _MAPPINGS:
        raise Unsupported("it is another collection")
    if any(type(key) not in (str, int, float, bool, tuple, type(None)) for key in value):
        raise Unsupported("a key of it is no plain value")
    return Parts(about, list(value), list(value.values()))


def _kind_of(cls: type[Any]) -> str | None:
    """What a class is, told without importing what is not there."""
    names = {(base.__module__.partition(".")[0], base.__name__) for base in cls.__mro__}
    if ("pydantic", "BaseModel") in names:
        return "pydantic"
    if names & {("xgboost", "XGBModel"), ("lightgbm", "LGBMModel")}:
        return "estimator"
    if issubclass(cls, tuple):
        return "namedtuple" if hasattr(cast("Any", cls), "_fields") else None
    if issubclass(cls, msgspec.Struct):
        return "struct"
    return "dataclass" if dataclasses.is_dataclass(cls) else None


def _put_together(about: dict[str, Any], fields: dict[Any, Any], values: list[Any]) -> object:
    kind = about["kind"]
    if kind == "deque":
        return collections.deque(values, about["maxlen"])
    if kind in _MAPPINGS:
        return _MAPPINGS[kind](fields)
    if kind == "defaultdict":
        factory = about["factory"]
        return collections.defaultdict(None if factory is None else _FACTORIES[factory], fields)
    make = _MAKERS.get(kind)
    if make is None:
        raise damaged(f"unknown kind of object {kind!r}; it may be from a newer version")
    cls: Any = find_class(about["class"], f"a {kind}", lambda found: _kind_of(found) == kind)
    return make(cls, fields, about)


def _named_tuple(cls: Any, fields: dict[str, Any], _: dict[str, Any]) -> object:
    _same(cls._fields, fields, cls)
    return cast("Any", tuple).__new__(cls, [fields[key] for key in cls._fields])


def _struct(cls: Any, fields: dict[str, Any], _: dict[str, Any]) -> object:
    _same(cls.__struct_fields__, fields, cls)
    return cls(**fields)


def _dataclass(cls: Any, fields: dict[str, Any], _: dict[str, Any]) -> object:
    _same([field.name for field in dataclasses.fields(cls)], fields, cls)
    made = object.__new__(cls)
    for key, item in fields.items():
        object.__setattr__(made, key, item)
    return made


def _pydantic(cls: Any, fields: dict[str, Any], about: dict[str, Any]) -> object:
    more = {key: fields.pop(f"__{key}") for key in about["more"]}
    if set(cls.model_fields) - set(fields):
        raise ValueError(f"the fields of {about['class']} have changed")
    made = cls.__new__(cls)
    object.__setattr__(made, "__dict__", fields)
    object.__setattr__(made, "__pydantic_fields_set__", set(about["set"]))
    object.__setattr__(made, "__pydantic_extra__", more.get("extra"))
    object.__setattr__(made, "__pydantic_private__", more.get("private"))
    return made


def _estimator(cls: Any, fields: dict[str, Any], _: dict[str, Any]) -> object:
    made = cls.__new__(cls)
    made.__dict__.update(fields)
    return made


def _same(names: Any, fields: dict[str, Any], cls: Any) -> None:
    if set(names) != set(fields):
        raise ValueError(f"the fields of {cls.__name__} have changed")


_MAKERS: dict[str, Callable[[Any, dict[str, Any], dict[str, Any]], object]] = {
    "namedtuple": _named_tuple,
    "struct": _struct,
    "dataclass": _dataclass,
    "pydantic": _pydantic,
    "estimator": _estimator,
}
