"""The format "skops": scikit-learn models, as a skops archive made canonical.

skops names things in its archive by `id()` and by random numbers. Here they are numbered in the
order in which they come, sets are sorted, and the zip carries no times: the same model gives the
same bytes in any process, and skops itself can still read them.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any, cast

from mainspring.records.canonical import digest_bytes
from mainspring.records.errors import SerializationError
from mainspring.storage.serializers.arrays import without_padding
from mainspring.storage.serializers.base import Sink, Source, Unsupported, damaged, shorten
from mainspring.storage.serializers.trust import untrusted

_SCHEMA = "schema.json"
_TIME = (1980, 1, 1, 0, 0, 0)
_SHARED = frozenset(("JsonNode", "TypeNode", "FunctionNode"))  # equal ones are one and the same


class Skops:
    """Fitted and unfitted scikit-learn estimators. Only known types are made on reading."""

    name = "skops"
    data_only = True
    refers = False

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the model; Unsupported if it holds anything that would not be trusted."""
        import skops.io

        archive = io.BytesIO()
        try:
            skops.io.dump(value, archive)
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise Unsupported(f"skops can't hold it: {error}") from error
        with zipfile.ZipFile(archive) as zipped:
            schema: dict[str, Any] = json.loads(zipped.read(_SCHEMA))
            foreign = untrusted(archive.getvalue(), schema)
            if foreign:
                raise Unsupported(
                    f"it holds {', '.join(foreign)}",
                    hint="use the estimators and functions of scikit-learn, numpy and scipy",
                )
            _write_canonical(zipped, schema, sink)

    def load(self, source: Source) -> object:
        """Read the model."""
        import skops.io

        data = source.read()
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as zipped:
                schema: dict[str, Any] = json.loads(zipped.read(_SCHEMA))
            foreign = untrusted(data, schema)
            if not foreign:
                found = skops.io.get_untrusted_types(data=data)
                return skops.io.loads(data, trusted=found)
        except SerializationError:
            raise
        except Exception as error:  # skops raises whatever the archive's content leads to
            raise damaged(
                f"skops can't read the model ({type(error).__name__}: {error})"
            ) from error
        raise SerializationError(
            f"stored model needs types that are not trusted: {', '.join(foreign)}",
            hint="only types of scikit-learn, numpy and scipy that hold data are trusted",
        )

    def preview(self, source: Source, limit: int) -> str:
        """The estimator with its parameters."""
        return shorten(repr(self.load(source)), limit)

    def references(self, source: Source) -> Iterator[str]:  # noqa: ARG002
        """None."""
        return iter(())


def _write_canonical(zipped: zipfile.ZipFile, schema: dict[str, Any], sink: Sink) -> None:
    contents = {
        name: digest_bytes(zipped.read(name)) for name in zipped.namelist() if name != _SCHEMA
    }
    _forget_ids(schema)
    _sort_sets(schema, contents)
    names = _Numbers()
    names.renumber(schema)
    text = json.dumps(schema, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # Not seekable: the archive goes to the blob as it is made.
    with zipfile.ZipFile(cast("Any", _Stream(sink)), "w", zipfile.ZIP_STORED) as out:
        _add(out, _SCHEMA, text.encode())
        for old, new in names.files.items():
            _add(out, new, _canonical(old, zipped.read(old)))


def _add(out: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _TIME)
    info.create_system = 3
    info.external_attr = 0o644 << 16
    out.writestr(info, data)


def _canonical(name: str, data: bytes) -> bytes:
    if name.endswith(".npz"):
        return _plain_npz(data)
    # The nodes of a tree have padding, and what was in memory there.
    return without_padding(data) if name.endswith(".npy") else data


def _plain_npz(data: bytes) -> bytes:
    """A sparse matrix's archive without compression, which differs between zlib builds."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in sorted(old.namelist()):
            _add(new, name, old.read(name))
    return out.getvalue()


class _Stream:
    """A sink as the file that zipfile writes to."""

    def __init__(self, sink: Sink) -> None:
        self.write = sink.write

    def flush(self) -> None:
        pass


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(cast("dict[str, Any]", node).values())
    return cast("list[Any]", node) if isinstance(node, list) else []


def _is_node(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(
        cast("dict[str, Any]", value).get("__loader__"), str
    )


def _forget_ids(node: Any) -> None:
    """Blank attributes that hold an `id()`: text vectorizers remember their list of words so."""
    for child in _children(node):
        _forget_ids(child)
    if isinstance(node, dict):
        word_id: Any = cast("dict[str, Any]", node).get("_stop_words_id")
        if _is_node(word_id):
            word_id["content"] = "null"


def _sort_sets(node: Any, contents: dict[str, str]) -> None:
    for child in _children(node):
        _sort_sets(child, contents)
    if _is_node(node) and node["__loader__"] == "SetNode":
        items = cast("list[Any]", node["content"])
        items.sort(key=lambda item: json.dumps(_nameless(item, contents)))


def _nameless(node: Any, contents: dict[str, str]) -> Any:
    """A node without what differs from process to process."""
    if isinstance(node, list):
        return [_nameless(item, contents) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    items = cast("dict[str, Any]", node)
    result = {key: _nameless(item, contents) for key, item in items.items()}
    if _is_node(node):
        result.pop("__id__", None)
        if isinstance(items.get("file"), str):
            result["file"] = contents[items["file"]]
    return result


class _Numbers:
    """Gives ids and file names the number of their first occurrence."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self._ids: dict[object, int] = {}

    def renumber(self, node: Any) -> None:
        """Rename everything in a schema, in place."""
        if _is_node(node):
            if isinstance(node.get("__id__"), int):
                key = self._identity(node)
                node["__id__"] = self._ids.setdefault(key, len(self._ids) + 1)
            if isinstance(node.get("file"), str):
                node["file"] = self._file(node["file"])
        for child in _children(node):
            self.renumber(child)

    def _identity(self, node: dict[str, Any]) -> object:
        loader = node["__loader__"]
        if loader in _SHARED:
            return (loader, node["__module__"], node["__class__"], node.get("content"))
        return node["__id__"]

    def _file(self, old: str) -> str:
        ending = old.rpartition(".")[2]
        return self.files.setdefault(old, f"{len(self.files) + 1}.{ending}")
