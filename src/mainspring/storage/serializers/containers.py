"""The formats "list" and "dict": packed values, at least one of which JSON has no form for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from mainspring.records.errors import SerializationError
from mainspring.storage.serializers import jsonvalues
from mainspring.storage.serializers.base import ROOT, Sink, Source, Unsupported, damaged, shorten
from mainspring.storage.serializers.hints import element_hints, stream_hints
from mainspring.storage.serializers.pack import Pack, PackWriter

SHOWN = 10  # elements in a preview


class List:
    """A list, tuple, or what an iterator gives; each element has a format of its own."""

    name = "list"
    data_only = True
    refers = True

    def dump(self, value: object, hint: object, sink: Sink) -> None:
        """Write the elements and their index."""
        items = cast("Iterable[Any]", value)
        writer = PackWriter(sink)
        sink.count = 0
        # An iterator is stored as it goes: one element in memory, whatever their number.
        item_hints = (
            element_hints(hint, len(items))
            if isinstance(items, list | tuple)
            else stream_hints(hint)
        )
        for item, item_hint in zip(items, item_hints, strict=False):
            _add(writer, item, item_hint, sink.count)
            sink.count += 1
        writer.finish({"kind": "tuple" if isinstance(value, tuple) else "list"})

    def load(self, source: Source) -> object:
        """Read all elements."""
        pack = Pack(source)
        items = [pack.load(entry) for entry in pack.entries()]
        return tuple(items) if pack.about().get("kind") == "tuple" else items

    def preview(self, source: Source, limit: int) -> str:
        """The first elements."""
        pack = Pack(source)
        lines = [f"{pack.about().get('kind')} of {pack.count}"]
        for index in range(min(pack.count, SHOWN)):
            entry = pack.entry(index)
            inner = source.reading.codecs.named(entry.format).preview(pack.open(entry), limit // 4)
            lines.append(f"[{index}] {inner}")
        if pack.count > SHOWN:
            lines.append(f"… and {pack.count - SHOWN} more")
        return shorten("\n".join(lines), limit)

    def references(self, source: Source) -> Iterator[str]:
        """Blobs of elements that are stored on their own, and what elements refer to."""
        return Pack(source).references()


class Dict:
    """A dict, in the order of its keys' JSON."""

    name = "dict"
    data_only = True
    refers = True

    def dump(self, value: object, hint: object, sink: Sink) -> None:
        """Write the values, their index and the keys."""
        items = cast("dict[Any, Any]", value)
        try:
            keyed = sorted(((jsonvalues.encode(key), key) for key in items), key=_encoded)
        except Unsupported as error:
            raise Unsupported(f"a key of it: {error.reason}", hint=error.hint) from error
        writer = PackWriter(sink)
        hints = element_hints(hint, len(items))
        for (_, key), item_hint in zip(keyed, hints, strict=True):
            _add(writer, items[key], item_hint, key)
        writer.finish({"kind": "dict", "keys": [key for _, key in keyed]})

    def load(self, source: Source) -> object:
        """Read all values."""
        pack = Pack(source)
        values = [pack.load(entry) for entry in pack.entries()]
        return dict(zip(self._keys(pack), values, strict=True))

    def preview(self, source: Source, limit: int) -> str:
        """The first values."""
        pack = Pack(source)
        lines = [f"dict of {pack.count}"]
        for index, key in enumerate(self._keys(pack)[:SHOWN]):
            entry = pack.entry(index)
            inner = source.reading.codecs.named(entry.format).preview(pack.open(entry), limit // 4)
            lines.append(f"{key!r}: {inner}")
        return shorten("\n".join(lines), limit)

    def references(self, source: Source) -> Iterator[str]:
        """Blobs that values refer to."""
        return Pack(source).references()

    def _keys(self, pack: Pack) -> list[Any]:
        keys = pack.about().get("keys")
        if not isinstance(keys, list) or len(cast("list[Any]", keys)) != pack.count:
            raise damaged("it does not have one key for each value")
        return cast("list[Any]", keys)


def _add(writer: PackWriter, item: object, hint: object, key: object) -> None:
    try:
        writer.add(item, hint)
    except SerializationError as error:  # say which element it was
        inner = (error.where or ROOT).removeprefix(ROOT)
        raise SerializationError(
            error.what, where=f"{ROOT}[{key!r}]{inner}", hint=error.hint
        ) from error


def _encoded(pair: tuple[bytes, Any]) -> bytes:
    return pair[0]
