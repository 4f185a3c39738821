"""What a type annotation says about the format: before there is a value, and when there is one."""

from __future__ import annotations

import enum
import itertools
import types
import typing
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from mainspring.records.errors import SerializationError
from mainspring.storage.serializers.base import class_text, type_text
from mainspring.storage.serializers.marks import is_marked

_DEPTH = 8  # of nested annotations that are looked into
_SCALARS = (bool, int, float, complex, str, bytes)
_JSON = frozenset(("json", "text"))
_JSON_CLASSES = frozenset(
    f"{module}.{name}"
    for module, names in {
        "builtins": ("NoneType", "bool", "int", "float", "complex"),
        "datetime": ("datetime", "date", "time", "timedelta"),
        "decimal": ("Decimal",),
        "uuid": ("UUID",),
    }.items()
    for name in names
)
_LISTS = frozenset((list, tuple, set, frozenset, Sequence))
_STREAMS = frozenset((Iterator, Generator))
_DICTS = frozenset((dict, Mapping))
_LIBRARIES = {  # (top package, name of a class in the MRO) -> format
    ("numpy", "MaskedArray"): "masked",
    ("numpy", "ndarray"): "npy",
    ("polars", "DataFrame"): "arrow",
    ("polars", "LazyFrame"): "arrow",
    ("polars", "Series"): "arrow",
    ("pyarrow", "Table"): "arrow",
    ("pyarrow", "RecordBatch"): "arrow",
    ("pyarrow", "Array"): "arrow",
    ("pyarrow", "ChunkedArray"): "arrow",
    ("pyarrow", "Schema"): "arrow",
    ("torch", "Tensor"): "safetensors",
    ("torch", "Module"): "safetensors",
    ("xgboost", "Booster"): "xgboost",
    ("lightgbm", "Booster"): "lightgbm",
    ("xgboost", "XGBModel"): "object",
    ("lightgbm", "LGBMModel"): "object",
    ("onnx", "ModelProto"): "onnx",
    ("PIL", "Image"): "image",
    ("matplotlib", "Figure"): "figure",
    ("plotly", "BaseFigure"): "plotly",
    ("scipy", "_spbase"): "sparse",
    ("pandas", "DataFrame"): "pandas",
    ("pandas", "Series"): "pandas",
    ("pandas", "Index"): "pandas",
    ("sklearn", "BaseEstimator"): "skops",
}


def format_for(hint: object) -> str | None:
    """The format that values under this annotation will have, or None if the value decides."""
    return _format(hint, 0)


def is_json(hint: object) -> bool:
    """Whether every value under this annotation is one that expressions can read."""
    return format_for(hint) in _JSON


def format_of_class(cls: type) -> str | None:
    """The format of a library's class, told by name: nothing is imported for it."""
    for base in cls.__mro__:
        name = _LIBRARIES.get((base.__module__.partition(".")[0], base.__name__))
        if name is not None:
            # skops rebuilds what scikit-learn defines; an estimator of the project is its code.
            own = name == "skops" and cls.__module__.partition(".")[0] != "sklearn"
            return "pickle" if own else name
    return None


def element_hints(hint: object, count: int) -> list[object]:
    """The annotation of each element of a list, tuple or dict that is annotated with `hint`."""
    arguments = typing.get_args(_bare(hint))
    origin = typing.get_origin(_bare(hint))
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return list(arguments) if len(arguments) == count else [None] * count
    if origin in _DICTS and len(arguments) == 2:
        return [arguments[1]] * count
    if arguments and origin in _LISTS:
        return [arguments[0]] * count
    return [None] * count


def is_stream(value: object, hint: object) -> bool:
    """Whether a value is stored as a list of what it gives: a generator, or a declared iterator."""
    declared = typing.get_origin(_bare(hint)) or _bare(hint)
    return isinstance(value, types.GeneratorType) or (
        declared in (*_STREAMS, Iterable) and isinstance(value, Iterator)
    )


def stream_hints(hint: object) -> Iterator[object]:
    """The annotation of each element of an iterator that is annotated with `hint`, without end."""
    return itertools.repeat(next(iter(typing.get_args(_bare(hint))), None))


def fit(value: Any, hint: object) -> Any:
    """The value as its annotation says: numpy scalars become numbers, an int a float.

    Raises SerializationError when the value is plainly of another type.
    """
    hint = _bare(hint)
    value = _plain_scalar(value, wanted=any(hint is kind for kind in _SCALARS))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(hint) if member is not types.NoneType]
        return value if value is None or len(members) != 1 else fit(value, members[0])
    if hint is float and type(value) is int and float(value) == value:
        return float(value)
    expected = typing.get_origin(hint) or hint
    if isinstance(expected, type) and not _fits(value, expected):
        raise SerializationError(
            f"the value is a {type_text(value)}, where {class_text(expected)} is declared",
            hint="correct the annotation or what is returned",
        )
    return value


def _fits(value: object, expected: type) -> bool:
    if expected is complex:
        return isinstance(value, complex | float | int)
    try:
        return isinstance(value, expected)
    except TypeError:  # a TypedDict, or a Protocol that can't be asked
        return True


def _plain_scalar(value: Any, *, wanted: bool) -> Any:
    kind = cast("type[Any]", type(value))
    if kind.__module__ != "numpy" or getattr(value, "ndim", 1) != 0:
        return value
    if (kind.__name__ == "ndarray" and not wanted) or value.dtype.kind in "Mm":
        return value
    item = value.item()
    return item if isinstance(item, _SCALARS) else value


def _bare(hint: object) -> object:
    while True:
        if typing.get_origin(hint) is typing.Annotated:
            hint = typing.get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        else:
            return hint


def _format(annotation: object, depth: int) -> str | None:
    if is_marked(annotation):
        return "custom"
    hint: Any = _bare(annotation)
    origin = typing.get_origin(hint)
    if hint is None or depth > _DEPTH:
        return None
    if origin is None:
        return _format_of_type(hint, depth) if isinstance(hint, type) else None
    if origin is typing.Literal:
        return "json" if any(type(item) is not str for item in typing.get_args(hint)) else "text"
    if origin in (typing.Union, types.UnionType):
        return _joint({_format(item, depth + 1) for item in typing.get_args(hint)})
    if origin in _STREAMS:
        return "list"
    if origin in _LISTS or origin in _DICTS:
        return _format_of_container(cast("type", origin), typing.get_args(hint), depth)
    return format_of_class(origin) if isinstance(origin, type) else None


def _joint(found: set[str | None]) -> str | None:
    if len(found) == 1:
        return found.pop()
    return "json" if found <= _JSON else None


def _format_of_container(origin: type, arguments: tuple[Any, ...], depth: int) -> str | None:
    members = [_format(item, depth + 1) for item in arguments if item is not Ellipsis]
    if None in members or not members:
        return None
    if set(members) <= _JSON | {"bytes"}:
        return "json"
    if origin in _DICTS:
        return "dict"
    return "list" if origin in (list, tuple, Sequence) else None


def _format_of_type(cls: type[Any], depth: int) -> str | None:
    if cls is str:
        return "text"
    if cls is bytes:
        return "bytes"
    if class_key(cls) in _JSON_CLASSES or issubclass(cls, enum.Enum):
        return "json"
    if issubclass(cls, Path):
        return None  # a file or a directory
    library = format_of_class(cls)
    if library is not None:
        return library
    return _format_of_fields(cls, depth) if _has_fields(cls) else None


def class_key(cls: type) -> str:
    """`module.name` of a class, builtins included."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _has_fields(cls: type) -> bool:
    marks = ("__dataclass_fields__", "__struct_fields__", "_fields")
    return any(hasattr(cls, mark) for mark in marks) or typing.is_typeddict(cls)


def _format_of_fields(cls: type, depth: int) -> str | None:
    read: Callable[..., dict[str, Any]] = typing.get_type_hints
    try:
        hints = read(cls)
    except (NameError, TypeError, AttributeError):  # an annotation that can't be resolved here
        return None
    known = {_format(hint, depth + 1) for hint in hints.values()}
    return "json" if known <= _JSON | {"bytes"} else None
