"""What a value of a stranger consists of: which other blobs it needs, and whether loading it runs
code. Told by its bytes, not by what is said of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from mainspring.records.artifacts import ArtifactRef, ElementRef
from mainspring.records.ports import Blobs
from mainspring.storage.serializers import registry
from mainspring.storage.serializers.base import Source
from mainspring.storage.serializers.pack import Pack

PACKS = frozenset({"list", "dict", "object"})

_Place = tuple[str, int, int, str]


@dataclass
class Examined:
    """What was found: `unsafe` are formats whose loading runs code that the data choose, `needs`
    the digests of other blobs."""

    unsafe: set[str] = field(default_factory=set[str])
    needs: set[str] = field(default_factory=set[str])
    _seen: set[_Place] = field(default_factory=set[_Place])

    def add(self, ref: ArtifactRef, blobs: Blobs) -> None:
        """Look into a value, however deep, each part once. Of one whose blob is not there, only
        what is said of it is known. Raises SerializationError for one that is built wrongly."""
        if not blobs.has(ref.digest):
            if not ref.data_only:
                self.unsafe.add(ref.format)
            return
        source = registry.source_of(ref, blobs)
        self._look(ref.format, source, ref.digest, 0, blobs)
        if not ref.data_only and ref.format in ("file", "directory"):
            self.unsafe.add(ref.format)  # an imported model of which it is known

    def _look(self, form: str, source: Source, digest: str, start: int, blobs: Blobs) -> None:
        # By place, not by the digest that an index gives of it: that may be a lie.
        place = (digest, start, source.size, form)
        if place in self._seen:
            return
        self._seen.add(place)
        serializer = source.reading.codecs.named(form)
        if not serializer.data_only:
            self.unsafe.add(form)
        if form in PACKS:
            pack = Pack(source)
            for entry in pack.entries():
                self._element(entry, pack, digest, start, blobs)
        elif serializer.refers:
            self.needs.update(serializer.references(source))

    def _element(
        self, entry: ElementRef, pack: Pack, digest: str, start: int, blobs: Blobs
    ) -> None:
        if entry.offset >= 0:
            self._look(entry.format, pack.open(entry), digest, start + entry.offset, blobs)
            return
        self.needs.add(entry.digest)
        self.add(
            ArtifactRef(
                digest=entry.digest,
                size=entry.size,
                format=entry.format,
                data_only=entry.data_only,
            ),
            blobs,
        )
