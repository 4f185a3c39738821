"""Several values in one blob: their bytes, each on a multiple of 64, then an index.

    values | one JSON line for each (an ElementRef) | JSON of what they are together |
    where each line begins (uint64) | trailer: magic, version, count, start of lines, start of JSON

All numbers are little-endian. One value can be found without reading the whole index.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from mainspring.records.artifacts import ArtifactRef, ElementRef
from mainspring.storage.serializers import jsonvalues
from mainspring.storage.serializers.base import Hashed, Serializer, Sink, Source, damaged

ALIGN = 64
MAGIC = b"mainspring-pack\n"
VERSION = 1
_TRAILER = struct.Struct("<16sQQQQ")
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ElementRef)


class PackWriter:
    """Writes values one after another into a sink, then the index."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._start = sink.size
        self._lines: list[bytes] = []

    def add(self, value: object, hint: object = None, serializer: Serializer | None = None) -> None:
        """Append a value, in the format that fits it or by the serializer given."""
        self._align()
        offset = self._sink.size - self._start
        out = Hashed(self._sink)
        part = Sink(out, self._sink.blobs, self._sink.codecs, allow_pickle=self._sink.allow_pickle)
        if serializer is None:
            name, kind = self._sink.codecs.dump_into(value, hint, part)
        else:
            serializer.dump(value, hint, part)
            name, kind = serializer.name, ""
        self._sink.data_only &= part.data_only
        self._entry(
            ElementRef(
                digest=out.digest(),
                size=part.size,
                format=name,
                offset=offset,
                data_only=part.data_only,
                type=kind,
            )
        )

    def refer(self, ref: ArtifactRef) -> None:
        """Append a value that is stored in a blob of its own."""
        self._sink.data_only &= ref.data_only
        self._entry(
            ElementRef(
                digest=ref.digest,
                size=ref.size,
                format=ref.format,
                data_only=ref.data_only,
                type=ref.type,
            )
        )

    def finish(self, about: object) -> None:
        """Write the index; `about` says what the values are together."""
        self._align()
        lines_at = self._sink.size - self._start
        starts = [0]
        for line in self._lines:
            starts.append(starts[-1] + len(line))
        self._sink.write(b"".join(self._lines))
        about_at = self._sink.size - self._start
        self._sink.write(jsonvalues.encode(about))
        self._sink.write(struct.pack(f"<{len(starts)}Q", *starts))
        self._sink.write(_TRAILER.pack(MAGIC, VERSION, len(self._lines), lines_at, about_at))

    def _entry(self, ref: ElementRef) -> None:
        self._lines.append(_encoder.encode(ref) + b"\n")

    def _align(self) -> None:
        rest = (self._sink.size - self._start) % ALIGN
        if rest:
            self._sink.write(bytes(ALIGN - rest))


class Pack:
    """A packed blob being read; every number in it is checked before use."""

    def __init__(self, source: Source) -> None:
        self._source = source
        end = source.size - _TRAILER.size
        if end < 0:
            raise damaged("its index is cut off")
        magic, version, count, lines_at, about_at = _TRAILER.unpack(source.read(end, _TRAILER.size))
        if magic != MAGIC:
            raise damaged("its index is cut off or overwritten")
        if version != VERSION:
            raise damaged(f"it is packed in version {version}; this Mainspring reads {VERSION}")
        self.count = cast("int", count)
        self._table_at = end - 8 * (self.count + 1)
        self._lines_at = cast("int", lines_at)
        self._about_at = cast("int", about_at)
        if not 0 <= self._lines_at <= self._about_at <= self._table_at:
            raise damaged("its index does not fit")

    def about(self) -> dict[str, Any]:
        """What `finish` was given."""
        value = jsonvalues.decode(self.about_bytes())
        if not isinstance(value, dict):
            raise damaged("its index does not fit")
        return cast("dict[str, Any]", value)

    def about_bytes(self) -> bytes:
        """The same as JSON."""
        return self._source.read(self._about_at, self._table_at - self._about_at)

    def entries(self) -> list[ElementRef]:
        """All elements."""
        data = self._source.read(self._lines_at, self._about_at - self._lines_at)
        try:
            found = _decoder.decode_lines(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise damaged(f"its index is not readable ({error})") from error
        if len(found) != self.count:
            raise damaged(f"its index has {len(found)} entries where {self.count} are due")
        return found

    def entry(self, index: int) -> ElementRef:
        """One element; costs the same whatever the number of elements."""
        start, end = struct.unpack("<QQ", self._source.read(self._table_at + 8 * index, 16))
        if start > end or self._lines_at + end > self._about_at:
            raise damaged("its index does not fit")
        try:
            return _decoder.decode(self._source.read(self._lines_at + start, end - start))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise damaged(f"its index is not readable ({error})") from error

    def open(self, entry: ElementRef) -> Source:
        """The bytes of an element, wherever they are."""
        if entry.offset < 0:
            return self._source.reading.open(entry.digest, entry.size)
        return self._source.part(entry.offset, entry.size, entry.digest)

    def load(self, entry: ElementRef) -> Any:
        """The value of an element."""
        return self._source.reading.codecs.named(entry.format).load(self.open(entry))

    def references(self) -> Iterator[str]:
        """Digests of all other blobs named here, by the index or by an element."""
        for entry in self.entries():
            if entry.offset < 0:
                yield entry.digest
            serializer = self._source.reading.codecs.named(entry.format)
            if serializer.refers:
                yield from serializer.references(self.open(entry))
