"""Which classes a stored value is made of, at any depth: their code decides what it does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mainspring.records.artifacts import ArtifactRef, ElementRef
from mainspring.storage.serializers.base import Source
from mainspring.storage.serializers.pack import Pack

ANYTHING = "*"  # stands for classes that can't be told without loading the value
PLAIN = frozenset({"int", "float", "bool", "str", "NoneType"})
_PACKS = frozenset({"list", "dict", "object"})
_TAG = re.compile(rb'"\$(?:dataclass|struct|enum|namedtuple)":\["([^"]+)"')


def classes(name: str, source: Source) -> Iterator[str]:
    """`module:Class` of each object in a value of the format `name`; some may come twice.

    A pickle has ANYTHING.
    """
    if name == "pickle":
        yield ANYTHING
        return
    if name == "json":
        yield from _tagged(source.read())
        return
    find = getattr(source.reading.codecs.named(name), "classes", None)
    if find is not None:
        yield from find(source)
    if name in _PACKS:
        pack = Pack(source)
        yield from _tagged(pack.about_bytes())
        for entry in pack.entries():
            if not is_plain(entry):
                yield from classes(entry.format, pack.open(entry))


def is_plain(ref: ArtifactRef | ElementRef) -> bool:
    """Whether a value is a number, text, bool or None, as told by its reference."""
    return ref.type in PLAIN and ref.format in ("json", "text")


def _tagged(data: bytes) -> Iterator[str]:
    return (found.decode() for found in _TAG.findall(data))
