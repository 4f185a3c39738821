"""Reads artifacts for decisions: values of expressions, elements of lists, completeness."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import msgspec

from mainspring.planning.resolve import whole
from mainspring.records.artifacts import ArtifactRef, ElementRef
from mainspring.records.errors import BlobError, DefinitionError, SerializationError
from mainspring.records.ports import Blobs
from mainspring.storage.serializers import jsonvalues, registry
from mainspring.storage.serializers.contents import is_plain

LIMIT = 64 << 20
"""Largest value, in bytes, that an expression or a map over JSON may read."""

LARGE = 1 << 20
"""Of values larger than this, in bytes, only the one read last is remembered."""

INDEX_ENTRIES = 100_000
"""How many entries of indexes are remembered, at most, beside those of the list read last."""

READABLE = frozenset({"json", "text"})


class Artifacts:
    """The `ArtifactReader` of planning, over a blob store. Remembers what it read last."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._values: dict[str, Any] = {}
        self._large = ""
        self._elements: dict[str, tuple[ElementRef, ...]] = {}
        self._classes: dict[str, frozenset[str]] = {}

    def value(self, ref: ArtifactRef, index: int | None = None) -> Any:
        """The value (of one element) of a JSON or text artifact. Raises DefinitionError."""
        if index is not None and ref.format == "list":
            element = self.elements(ref)[index]
            self._check(element.format, element.size, element.type)
            if element.offset < 0:
                return self.value(whole(element))
            return registry.load(ref, self._blobs, index=index)
        self._check(ref.format, ref.size, ref.type)
        name = f"{ref.format}:{ref.digest}"
        if name not in self._values:
            _make_room(self._values, 256)
            if ref.size > LARGE:
                self._values.pop(self._large, None)
                self._large = name
            self._values[name] = self._load(ref)
        found = self._values[name]
        return found if index is None else found[index]

    def elements(self, ref: ArtifactRef) -> tuple[ElementRef, ...]:
        """The index of a list artifact."""
        found = self._elements.get(ref.digest)
        if found is None:
            found = registry.index_of(ref, self._blobs)
            _make_room(self._elements, 16)
            while self._elements and _held(self._elements) + len(found) > INDEX_ENTRIES:
                _make_room(self._elements, len(self._elements))
            self._elements[ref.digest] = found
        return found

    def list_of(self, elements: Iterable[ArtifactRef]) -> ArtifactRef:
        """The list artifact of these elements; its index is stored."""
        return registry.make_list(elements, self._blobs)

    def json_of(self, value: Any) -> ArtifactRef:
        """The JSON artifact of a computed value, stored."""
        return registry.dump(value, None, self._blobs)

    def classes(self, ref: ArtifactRef) -> frozenset[str]:
        """The classes (`module:Class`) of the objects that a value holds, at any depth; ANYTHING
        stands for those that only loading it would tell."""
        if is_plain(ref):
            return frozenset()
        if ref.digest not in self._classes:
            _make_room(self._classes, 4096)
            self._classes[ref.digest] = frozenset(registry.classes(ref, self._blobs))
        return self._classes[ref.digest]

    def complete(self, ref: ArtifactRef) -> bool:
        """Its blob and every blob that it refers to are there, with the right bytes."""
        try:
            return self._blobs.intact(ref.digest, ref.size) and all(
                self._blobs.intact(digest) for digest in registry.references(ref, self._blobs)
            )
        except (BlobError, SerializationError):
            return False

    def _load(self, ref: ArtifactRef) -> Any:
        if ref.format == "text":
            return registry.load(ref, self._blobs)
        return plain(msgspec.json.decode(self._blobs.read(ref.digest)))

    @staticmethod
    def _check(format: str, size: int, type: str) -> None:
        if format not in READABLE:
            raise DefinitionError(
                f"an expression can't read a value of type {type or format}",
                hint="expressions work on numbers, text, bools, lists and dicts; write a step",
            )
        if size > LIMIT:
            raise DefinitionError(
                f"a value of {size:,} bytes is too large for an expression", hint="write a step"
            )


def plain(value: Any) -> Any:
    """Return decoded JSON with tagged values as plain data: no class of the project is imported.

    An object is the dict of its fields, a named tuple and a tuple are lists, an enum member is its
    value.
    """
    if isinstance(value, list):
        return [plain(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, Any]", value)
    tag, content = next(iter(table.items()), ("", cast("Any", None)))
    if len(table) != 1 or not tag.startswith("$"):
        return {key: plain(item) for key, item in table.items()}
    if tag in ("$dataclass", "$struct", "$namedtuple"):
        return plain(content[1])
    if tag == "$enum":
        return plain(content[2])
    if tag in ("$tuple", "$escaped"):
        return plain(content) if tag == "$tuple" else {k: plain(v) for k, v in content.items()}
    return jsonvalues.decode(msgspec.json.encode(table))


def _held(cache: dict[str, tuple[ElementRef, ...]]) -> int:
    return sum(map(len, cache.values()))


def _make_room(cache: dict[str, Any], limit: int) -> None:
    while len(cache) >= limit:
        del cache[next(iter(cache))]
