"""The format "arrow": polars and pyarrow values as an Arrow IPC file, mapped without a copy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any, cast

from mainspring.records.errors import SerializationError
from mainspring.storage.serializers.base import Sink, Source, Unsupported, damaged, shorten

_KEY = b"mainspring"  # in the schema's metadata: what the table was before it was one
_COLUMN = "values"  # the name of the one column of an array


class Arrow:
    """Frames, series, tables, batches, arrays and schemas. Reading touches no value twice."""

    name = "arrow"
    data_only = True
    refers = False

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the table in batches as large as they come, so that chunking leaves no trace."""
        pa: Any = import_module("pyarrow")
        try:
            table, about = _table(value, pa)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise Unsupported(f"Arrow has no type for a column of it ({error})") from error
        if _KEY in (table.schema.metadata or {}):
            raise Unsupported("its metadata has the key 'mainspring', which is taken")
        text = json.dumps(about, sort_keys=True, separators=(",", ":")).encode()
        # Arrow keeps metadata in a hash table: in order, two processes write the same bytes.
        known = cast("dict[bytes, bytes]", table.schema.metadata or {})
        metadata = {**dict(sorted(known.items())), _KEY: text}
        table = table.unify_dictionaries().combine_chunks().replace_schema_metadata(metadata)
        stream = pa.PythonFile(cast("Any", _Stream(sink)), mode="w")
        with pa.ipc.new_file(stream, table.schema) as out:
            out.write_table(table)

    def load(self, source: Source) -> object:
        """Read the value; a large one is mapped. All offsets and indices are checked."""
        table, about = _read(source)
        try:
            return _restored(table, about)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise damaged(f"its table does not fit ({error})") from error

    def preview(self, source: Source, limit: int) -> str:
        """Shape, columns with their types, and the first rows."""
        table, about = _read(source)
        kind = about.get("kind", "table")
        shape = f"{table.num_rows} rows, {table.num_columns} columns"
        fields = ", ".join(f"{field.name}: {field.type}" for field in table.schema)
        head: list[Any] = table.slice(0, 10).to_pylist() if table.num_columns else []
        rows = "\n".join(map(str, head))
        return shorten(f"{kind}: {shape}\n{fields}\n{rows}", limit)

    def references(self, source: Source) -> Iterator[str]:  # noqa: ARG002
        """None."""
        return iter(())


class _Stream:
    """A sink as the file that Arrow writes to."""

    closed = False

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._start = sink.size

    def write(self, data: Any) -> int:
        return self._sink.write(data)

    def tell(self) -> int:
        return self._sink.size - self._start

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def _table(value: Any, pa: Any) -> tuple[Any, dict[str, Any]]:
    if type(value).__module__.partition(".")[0] == "polars":
        return _polars_table(value)
    if isinstance(value, pa.Table):
        return value, {"kind": "table"}
    if isinstance(value, pa.RecordBatch):
        return pa.Table.from_batches([value]), {"kind": "batch"}
    if isinstance(value, pa.Schema):
        return value.empty_table(), {"kind": "schema"}
    if isinstance(value, pa.ChunkedArray | pa.Array):
        kind = "chunked" if isinstance(value, pa.ChunkedArray) else "array"
        return pa.table({_COLUMN: value}), {"kind": kind}
    raise Unsupported("it is no table, batch, array or schema")


def _polars_table(value: Any) -> tuple[Any, dict[str, Any]]:
    pl: Any = import_module("polars")
    if isinstance(value, pl.LazyFrame):
        raise Unsupported(
            "it is a query that has not been run", hint="return the frame: value.collect()"
        )
    about = {"kind": "polars.DataFrame"}
    if isinstance(value, pl.Series):
        about = {"kind": "polars.Series", "name": value.name}
        value = value.alias(_COLUMN).to_frame()
    table = value.to_arrow(compat_level=pl.CompatLevel.newest())
    if value.width and pl.from_arrow(table.slice(0, 0)).schema != value.schema:
        raise Unsupported(
            "a dtype of it does not survive the way through Arrow",
            hint="cast the column, for example to another width",
        )
    if not value.width and value.height:
        raise Unsupported("it has rows but no columns")
    return table, about


def _read(source: Source) -> tuple[Any, dict[str, Any]]:
    pa: Any = import_module("pyarrow")
    try:
        with pa.ipc.open_file(_buffer(source, pa)) as reader:
            table = reader.read_all()
        # Cheap for numbers; for texts and dictionaries it is what keeps hostile offsets out.
        table.validate(full=True)
        metadata = dict(table.schema.metadata or {})
        about = json.loads(metadata.pop(_KEY, b"{}"))
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, MemoryError) as error:
        raise damaged(f"it is not an Arrow file ({error})") from error
    if not isinstance(about, dict):
        raise damaged("its description does not fit")
    return table.replace_schema_metadata(metadata or None), cast("dict[str, Any]", about)


def _buffer(source: Source, pa: Any) -> Any:
    if source.data is not None or source.path is None:
        return pa.py_buffer(source.read())
    with pa.memory_map(str(source.path)) as file:
        file.seek(source.start)
        return file.read_buffer(source.size)


def _restored(table: Any, about: dict[str, Any]) -> Any:
    kind = about.get("kind", "table")
    if kind.startswith("polars."):
        pl: Any = import_module("polars")
        try:
            frame = pl.from_arrow(table, rechunk=False) if table.num_columns else pl.DataFrame()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise damaged(f"polars can't read it ({error})") from error
        return frame if kind == "polars.DataFrame" else frame.to_series(0).alias(about["name"])
    if kind == "table":
        return table
    if kind == "schema":
        return table.schema
    if kind == "batch":
        return _batch(table)
    column = table.column(_COLUMN)
    if kind == "chunked":
        return column
    if kind == "array":
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    raise damaged(f"unknown kind of table {kind!r}; it may be from a newer version")


def _batch(table: Any) -> Any:
    pa: Any = import_module("pyarrow")
    batches = table.to_batches()
    if len(batches) > 1:
        raise SerializationError("a stored record batch has become more than one")
    arrays = [pa.array([], field.type) for field in table.schema]
    return batches[0] if batches else pa.RecordBatch.from_arrays(arrays, schema=table.schema)
