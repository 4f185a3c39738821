"""An in-memory `ArtifactReader`: JSON values by digest, lists by their elements."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mainspring.records.artifacts import ArtifactRef, ElementRef
from mainspring.records.canonical import canonical, digest_bytes


class MemoryArtifacts:
    """Keeps every value that `json_of` and `list_of` were given."""

    def __init__(self) -> None:
        self._bytes: dict[str, bytes] = {}

    def json_of(self, value: Any) -> ArtifactRef:
        """Store a JSON value."""
        data = canonical(value)
        digest = digest_bytes(data)
        self._bytes[digest] = data
        return ArtifactRef(digest=digest, size=len(data), format="json", type="any")

    def list_of(self, elements: Iterable[ArtifactRef]) -> ArtifactRef:
        """Store a list of artifacts."""
        refs = list(elements)
        data = canonical([[ref.digest, ref.size, ref.format] for ref in refs])
        digest = digest_bytes(b"list" + data)
        self._bytes[digest] = data
        return ArtifactRef(digest=digest, size=len(data), format="list", count=len(refs))

    def elements(self, ref: ArtifactRef) -> tuple[ElementRef, ...]:
        """The index of a list, or of a JSON value that is one."""
        rows = json.loads(self._bytes[ref.digest])
        if ref.format == "json":
            items = [canonical(item) for item in rows]
            return tuple(
                ElementRef(digest=digest_bytes(item), size=len(item), format="json", offset=1)
                for item in items
            )
        return tuple(ElementRef(digest=d, size=s, format=f) for d, s, f in rows)

    def value(self, ref: ArtifactRef, index: int | None = None) -> Any:
        """A JSON value, or an element of a list."""
        if ref.format == "list" and index is not None:
            return json.loads(self._bytes[self.elements(ref)[index].digest])
        value = json.loads(self._bytes[ref.digest])
        return value if index is None else value[index]

    def complete(self, ref: ArtifactRef) -> bool:
        """Whether the value is still there, and the elements of a list too."""
        if ref.digest not in self._bytes or ref.format != "list":
            return ref.digest in self._bytes
        return all(element.digest in self._bytes for element in self.elements(ref))

    def forget(self, ref: ArtifactRef) -> None:
        """Lose a value, as a removed blob would be."""
        self._bytes.pop(ref.digest, None)
