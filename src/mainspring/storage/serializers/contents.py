"""Which classes a stored value is made of, at any depth: their code decides what it does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mainspring.storage.serializers.base import Source
from mainspring.storage.serializers.pack import Pack

PLAIN = frozenset({"int", "float", "bool", "str", "NoneType"})
_PACKS = frozenset({"list", "dict", "object"})
_TAG = re.compile(rb'"\$(?:dataclass|struct|enum|namedtuple)":\["([^"]+)"')


def classes(name: str, source: Source) -> Iterator[str]:
    """`module:Class` of each object in a value of the format `name`; some may come twice."""
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
            if entry.type not in PLAIN:
                yield from classes(entry.format, pack.open(entry))


def _tagged(data: bytes) -> Iterator[str]:
    return (found.decode() for found in _TAG.findall(data))
