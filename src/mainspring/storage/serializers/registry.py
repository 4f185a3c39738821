"""Which format a value gets, and the way from a value to an artifact and back."""

from __future__ import annotations

import importlib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from mainspring.records.artifacts import ArtifactRef, ElementRef
from mainspring.records.canonical import digest_bytes
from mainspring.records.errors import SerializationError
from mainspring.records.ports import Blobs
from mainspring.storage.serializers import contents, hints, jsonvalues
from mainspring.storage.serializers.base import (
    ROOT,
    Reading,
    Serializer,
    Sink,
    Source,
    Unsupported,
    damaged,
    shorten,
    type_text,
)
from mainspring.storage.serializers.hints import format_for, is_json
from mainspring.storage.serializers.marks import own_format
from mainspring.storage.serializers.pack import Pack, PackWriter

__all__ = [
    "FORMATS",
    "classes",
    "dump",
    "format_for",
    "index_of",
    "is_json",
    "lay_out",
    "load",
    "make_list",
    "preview",
    "references",
]

_HERE = "mainspring.storage.serializers"
FORMATS = {  # name -> module:class; loaded when first used
    "json": f"{_HERE}.plain:Json",
    "text": f"{_HERE}.plain:Text",
    "bytes": f"{_HERE}.plain:Bytes",
    "file": f"{_HERE}.files:File",
    "directory": f"{_HERE}.files:Directory",
    "reference": f"{_HERE}.reference:Place",
    "npy": f"{_HERE}.arrays:Npy",
    "pandas": f"{_HERE}.frames:Pandas",
    "skops": f"{_HERE}.models:Skops",
    "arrow": f"{_HERE}.arrow:Arrow",
    "safetensors": f"{_HERE}.tensors:SafeTensors",
    "onnx": f"{_HERE}.libraries:Onnx",
    "xgboost": f"{_HERE}.libraries:XGBoost",
    "lightgbm": f"{_HERE}.libraries:LightGBM",
    "plotly": f"{_HERE}.libraries:Plotly",
    "image": f"{_HERE}.images:Image",
    "figure": f"{_HERE}.images:Figure",
    "sparse": f"{_HERE}.sparse:Sparse",
    "masked": f"{_HERE}.sparse:Masked",
    "list": f"{_HERE}.containers:List",
    "dict": f"{_HERE}.containers:Dict",
    "object": f"{_HERE}.objects:Object",
    "custom": f"{_HERE}.custom:Custom",
    "pickle": f"{_HERE}.pickles:Pickle",
}
_BY_TYPE: dict[type, tuple[str, ...]] = {  # formats to try, in this order
    str: ("text",),
    bytes: ("bytes",),
    list: ("json", "list"),
    tuple: ("json", "list"),
    dict: ("json", "dict", "pickle"),
    OrderedDict: ("object", "pickle"),
    defaultdict: ("object", "pickle"),
    deque: ("object", "pickle"),
    Counter: ("object", "pickle"),
}
_MANY = frozenset(("list", "dict"))


def dump(value: object, hint: object, blobs: Blobs, *, allow_pickle: bool = True) -> ArtifactRef:
    """Store a value in the format that its annotation and type ask for.

    `hint` is the annotation, or None or `inspect.Parameter.empty`. Raises SerializationError if
    no format can hold the value (or, without `allow_pickle`, only pickle can), BlobError if it
    can't be written.
    """
    if getattr(hint, "__module__", "") == "inspect":
        hint = None
    with blobs.writer() as writer:
        sink = Sink(writer, blobs, _codecs, allow_pickle=allow_pickle)
        try:
            name, kind = _codecs.dump_into(value, hint, sink)
        except RecursionError as error:
            raise SerializationError(
                f"a {type_text(value)} can't be stored: it contains itself, or is nested too deeply"
            ) from error
        digest, size = writer.commit()
    count = sink.count if name == "list" else None
    return ArtifactRef(
        digest=digest, size=size, format=name, type=kind, data_only=sink.data_only, count=count
    )


def load(
    ref: ArtifactRef,
    blobs: Blobs,
    *,
    index: int | None = None,
    element: ElementRef | None = None,
    workdir: Path | None = None,
    allow_pickle: bool = True,
) -> object:
    """The stored value, or the element `index` of a list.

    `element`, from `index_of`, spares reading all of a list in JSON for one of its elements.

    Files and directories are written into `workdir`. `allow_pickle=False` refuses what could run
    code, wherever it is inside. Raises BlobError, CorruptBlobError, or
    SerializationError when the bytes can't be read as their format says.
    """
    source = Reading(blobs, _codecs, workdir, allow_pickle).open(ref.digest, ref.size)
    if index is None:
        return _codecs.named(ref.format).load(source)
    if ref.format == "list":
        pack = Pack(source)
        _check_index(index, pack.count, ref)
        return pack.load(pack.entry(index))
    if element is not None and ref.format == element.format == "json":
        return jsonvalues.decode(source.part(element.offset, element.size, element.digest).read())
    items = _json_elements(ref, source)
    _check_index(index, len(items), ref)
    return jsonvalues.decode(items[index])


def lay_out(ref: ArtifactRef, blobs: Blobs, workdir: Path) -> Path:
    """Write the files of a file, directory or value of the project's own format into `workdir`;
    no code of the project is run."""
    source = Reading(blobs, _codecs, workdir).open(ref.digest, ref.size)
    serializer: Any = _codecs.named(ref.format)
    return serializer.lay_out(source)


def index_of(ref: ArtifactRef, blobs: Blobs) -> tuple[ElementRef, ...]:
    """The elements of a list artifact, or of a JSON artifact that holds a list."""
    source = Reading(blobs, _codecs).open(ref.digest, ref.size)
    if ref.format == "list":
        return tuple(Pack(source).entries())
    found: list[ElementRef] = []
    offset = 1
    for item in _json_elements(ref, source):
        found.append(
            ElementRef(digest=digest_bytes(item), size=len(item), format="json", offset=offset)
        )
        offset += len(item) + 1
    return tuple(found)


def make_list(elements: Iterable[ArtifactRef], blobs: Blobs) -> ArtifactRef:
    """A list whose elements are artifacts that are stored already."""
    count = 0
    with blobs.writer() as writer:
        sink = Sink(writer, blobs, _codecs, allow_pickle=True)
        pack = PackWriter(sink)
        for element in elements:
            pack.refer(element)
            count += 1
        pack.finish({"kind": "list"})
        digest, size = writer.commit()
    return ArtifactRef(
        digest=digest,
        size=size,
        format="list",
        type="list",
        data_only=sink.data_only,
        count=count,
    )


def refers(name: str) -> bool:
    """Whether values of a format (or of one that is not known here) may need other blobs."""
    try:
        return bool(name) and _codecs.named(name).refers
    except SerializationError:
        return True


def references(ref: ArtifactRef, blobs: Blobs) -> Iterator[str]:
    """Digests of all other blobs that this value needs, however deep; some may come twice."""
    serializer = _codecs.named(ref.format)
    if serializer.refers:
        yield from serializer.references(Reading(blobs, _codecs).open(ref.digest, ref.size))


def classes(ref: ArtifactRef, blobs: Blobs) -> Iterator[str]:
    """`module:Class` of each object that this value holds, however deep; some may come twice."""
    yield from contents.classes(ref.format, Reading(blobs, _codecs).open(ref.digest, ref.size))


def preview(ref: ArtifactRef, blobs: Blobs, limit: int = 2000) -> str:
    """A short text for people: the value, or its shape and beginning. Runs no pickle."""
    source = Reading(blobs, _codecs).open(ref.digest, ref.size)
    return shorten(_codecs.named(ref.format).preview(source, limit), limit)


class _Registry:
    """Finds serializers by name, and formats by value; see `base.Codecs`."""

    def __init__(self) -> None:
        self._loaded: dict[str, Serializer] = {}

    def named(self, name: str) -> Serializer:
        serializer = self._loaded.get(name)
        if serializer is None:
            serializer = self._loaded[name] = self._find(name)
        return serializer

    def dump_into(self, value: object, hint: object, sink: Sink) -> tuple[str, str]:
        value = hints.fit(value, hint)
        failure: Unsupported | None = None
        for name in _candidates(value, hint):
            serializer = self.named(name)
            if name == "pickle" and not sink.allow_pickle:
                break
            try:
                serializer.dump(value, hint, sink)
            except Unsupported as error:
                failure = error
                continue
            sink.data_only &= serializer.data_only
            return name, "list" if hints.is_stream(value, hint) else type_text(value)
        raise _refusal(value, failure, _candidates(value, hint))

    def _find(self, name: str) -> Serializer:
        place = FORMATS.get(name)
        if place is None:
            raise damaged(f"unknown format {name!r}; it may be from a newer version")
        module, _, attribute = place.partition(":")
        try:
            return cast("Serializer", getattr(importlib.import_module(module), attribute)())
        except ModuleNotFoundError as error:
            raise SerializationError(
                f"the format {name!r} needs the package {error.name}, which is not installed",
                hint=f"install it, for example: uv add {error.name}",
            ) from error


_codecs = _Registry()


def _candidates(value: object, hint: object) -> tuple[str, ...]:
    if own_format(value, hint) is not None:
        return ("custom",)
    declared = hints.format_for(hint)
    if hints.is_stream(value, hint):
        return ("list",)
    kind = cast("type[Any]", type(value))
    if declared in _MANY and isinstance(value, list | tuple | dict):
        return (declared,)
    if declared == "json":
        return ("json",)
    found = _BY_TYPE.get(kind)
    if found is not None:
        return found
    if isinstance(value, Path):
        return ("directory",) if value.is_dir() else ("file",)
    library = hints.format_of_class(kind)
    if library in ("skops", "safetensors"):  # a module or model may hold anything at all
        return (library, "pickle")
    return (library,) if library is not None else ("json", "object", "pickle")


def _refusal(
    value: object, failure: Unsupported | None, candidates: tuple[str, ...]
) -> SerializationError:
    if "pickle" in candidates:
        reason = f" ({failure.reason})" if failure else ""
        return SerializationError(
            f"a {type_text(value)} can only be stored as pickle, which is refused here{reason}",
            where=ROOT + failure.where if failure else ROOT,
            hint="use a type with a data-only format; see docs/reference/formats.md",
        )
    if failure is None:
        return SerializationError(f"a {type_text(value)} can't be stored", where=ROOT)
    return failure.explain(value, candidates[-1])


def _json_elements(ref: ArtifactRef, source: Source) -> list[bytes]:
    items = jsonvalues.elements(source.read()) if ref.format == "json" else None
    if items is None:
        raise SerializationError(
            f"a {ref.type or ref.format} has no elements to take one by one",
            hint="map over a list",
        )
    return items


def _check_index(index: int, count: int, ref: ArtifactRef) -> None:
    if not 0 <= index < count:
        raise SerializationError(f"the {ref.type or 'list'} has {count} elements, no [{index}]")
