"""The format "pickle": the last resort, for values that pass between tasks of one project."""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Iterator
from typing import Any, cast

from mainspring.records.errors import SerializationError
from mainspring.storage.serializers.base import ROOT, Sink, Source, shorten, type_text

PROTOCOL = 5  # fixed: the bytes must not change with the Python that writes them
_ERRORS = (pickle.PicklingError, AttributeError, TypeError, ValueError, RecursionError)


class Pickle:
    """Python's pickle. Reading it runs code that the data chooses: never `data_only`."""

    name = "pickle"
    data_only = False
    refers = False

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the value, or say which part of it can't be pickled."""
        try:
            pickle.Pickler(cast("Any", sink), PROTOCOL).dump(value)
        except _ERRORS as error:
            where, part = _culprit(value, ROOT, 0)
            raise SerializationError(
                f"a {type_text(part)} can't be stored: {_reason(part, error)}",
                where=where,
                hint="return data (numbers, text, arrays, frames, models, files), or make the "
                "class or function importable: at the top level of a module",
            ) from error

    def load(self, source: Source) -> object:
        """Read the value, unless the reader allows no pickle."""
        if not source.reading.allow_pickle:
            raise SerializationError(
                "a value stored as pickle is refused here",
                hint="only data-only formats may cross a trust border",
            )
        try:
            if source.data is not None or source.path is None:
                return pickle.loads(source.read())  # noqa: S301
            with source.path.open("rb") as file:
                file.seek(source.start)
                return pickle.load(file)  # noqa: S301
        except (pickle.UnpicklingError, EOFError, ImportError, AttributeError, IndexError) as error:
            raise SerializationError(
                f"a pickled value can't be read: {error}",
                hint="what it was made of is not there any more; run the step that made it again",
            ) from error

    def preview(self, source: Source, limit: int) -> str:
        """The names in it; it is not loaded."""
        import pickletools

        names: list[str] = []
        data = io.BytesIO(source.read(0, min(source.size, 1 << 16)))
        try:
            for op, argument, _ in pickletools.genops(data):
                if "UNICODE" in op.name and isinstance(argument, str):
                    names.append(argument)
        except ValueError:  # cut off
            pass
        return shorten(f"pickle of {source.size} bytes: {', '.join(names[:40])}", limit)

    def references(self, source: Source) -> Iterator[str]:  # noqa: ARG002
        """None."""
        return iter(())


def _reason(part: object, error: Exception) -> str:
    name = getattr(part, "__qualname__", "")
    if "<lambda>" in name:
        return "it is a lambda, which has no name to find it by"
    if "<locals>" in name:
        return f"{name} is defined inside a function, so it can't be found again"
    return re.sub(r" at 0x[0-9a-f]+", "", str(error))


def _culprit(value: Any, where: str, depth: int) -> tuple[str, object]:
    """The innermost part that fails by itself, and the way to it."""
    if depth < 8:
        for name, part in _parts(value):
            try:
                pickle.dumps(part, PROTOCOL)
            except _ERRORS:
                return _culprit(part, where + name, depth + 1)
    return where, value


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in cast("dict[Any, Any]", value).items():
            yield f"[{key!r}]", item
    elif isinstance(value, list | tuple | set | frozenset):
        for index, item in enumerate(cast("list[Any]", value)):
            yield f"[{index}]", item
    elif not callable(value) or not hasattr(value, "__qualname__"):
        for name, item in getattr(value, "__dict__", {}).items():
            yield f".{name}", item
