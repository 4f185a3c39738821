"""The format "reference": a path to data that stays where it is, checked whenever it is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mainspring.records.errors import SerializationError
from mainspring.storage.folders.reference import check, read_reference
from mainspring.storage.serializers.base import Sink, Source, shorten


class Place:
    """A `pathlib.Path` to the data itself; nothing is copied."""

    name = "reference"
    data_only = True
    refers = True

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Only `mainspring data add --reference` makes one."""
        raise SerializationError("a reference to data can't be an output")

    def load(self, source: Source) -> object:
        """The place, if it still holds what it should."""
        return self.lay_out(source)

    def lay_out(self, source: Source) -> Path:
        """The same."""
        return check(read_reference(source.read()), source.reading.blobs)

    def preview(self, source: Source, limit: int) -> str:
        """The place."""
        return shorten(read_reference(source.read()).place, limit)

    def references(self, source: Source) -> Iterator[str]:
        """The manifest. The content is no blob."""
        yield read_reference(source.read()).manifest
