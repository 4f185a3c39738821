"""The formats "json", "text" and "bytes": values that are read as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from mainspring.storage.serializers import jsonvalues
from mainspring.storage.serializers.base import Sink, Source, Unsupported, damaged, shorten


class Json:
    """Canonical JSON with tags for what plain JSON lacks; see `jsonvalues`."""

    name = "json"
    data_only = True
    refers = False

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the value."""
        sink.write(jsonvalues.encode(value))

    def load(self, source: Source) -> object:
        """Read the value."""
        return jsonvalues.decode(source.read())

    def preview(self, source: Source, limit: int) -> str:
        """The value, indented."""
        import msgspec

        head = source.read(0, min(source.size, 16 * limit))
        if len(head) < source.size:
            return shorten(head.decode("utf-8", "replace"), limit)
        return shorten(msgspec.json.format(head, indent=2).decode(), limit)

    def references(self, source: Source) -> Iterator[str]:  # noqa: ARG002
        """None."""
        return iter(())


class Text:
    """A `str` as UTF-8."""

    name = "text"
    data_only = True
    refers = False

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the text."""
        try:
            sink.write(cast("str", value).encode())
        except UnicodeEncodeError as error:
            raise Unsupported(
                f"it has a lone surrogate at character {error.start}, which UTF-8 has no form for",
                hint="decode the text without errors='surrogateescape', or return bytes",
            ) from error

    def load(self, source: Source) -> object:
        """Read the text."""
        try:
            return source.read().decode()
        except UnicodeDecodeError as error:
            raise damaged(f"it is not UTF-8 ({error.reason} at byte {error.start})") from error

    def preview(self, source: Source, limit: int) -> str:
        """The beginning of the text."""
        head = source.read(0, min(source.size, 4 * limit))
        return shorten(head.decode("utf-8", "replace"), limit)

    def references(self, source: Source) -> Iterator[str]:  # noqa: ARG002
        """None."""
        return iter(())


class Bytes:
    """`bytes` as they are."""

    name = "bytes"
    data_only = True
    refers = False

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the bytes."""
        sink.write(cast("bytes", value))

    def load(self, source: Source) -> object:
        """Read the bytes."""
        return source.read()

    def preview(self, source: Source, limit: int) -> str:
        """The beginning, as Python would write it."""
        return shorten(f"{source.size} bytes: {source.read(0, min(source.size, limit))!r}", limit)

    def references(self, source: Source) -> Iterator[str]:  # noqa: ARG002
        """None."""
        return iter(())
