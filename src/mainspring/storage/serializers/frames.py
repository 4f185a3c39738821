"""The format "pandas": a DataFrame, Series or Index as packed plain arrays; no pickle in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pandas as pd

from mainspring.storage.serializers.base import Sink, Source, Unsupported, damaged, shorten
from mainspring.storage.serializers.columns import ColumnReader, ColumnWriter, Description
from mainspring.storage.serializers.pack import Pack, PackWriter

_PLAIN_KINDS = "biufc"


class Pandas:
    """Values, dtypes, indexes and names come back exactly; `attrs` and flags do not."""

    name = "pandas"
    data_only = True
    refers = False

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write a DataFrame, Series or Index."""
        pack = PackWriter(sink)
        writer = ColumnWriter(pack)
        frame: Any = value
        about: Description
        if type(frame) is pd.DataFrame:
            about = {"kind": "frame", "columns": writer.index(frame.columns)}
            about["index"] = writer.index(frame.index)
            about["values"] = _write_values(frame, writer)
        elif type(frame) is pd.Series:
            name = frame.name
            about = {"kind": "series", "name": name, "index": writer.index(frame.index)}
            about["values"] = writer.column(frame.array)
        elif isinstance(frame, pd.Index):
            about = {"kind": "index", "index": writer.index(frame)}
        else:
            raise Unsupported(
                "it is a subclass with data of its own", hint="return pandas.DataFrame(value)"
            )
        pack.finish(about)

    def load(self, source: Source) -> object:
        """Read it."""
        pack = Pack(source)
        about = pack.about()
        reader = ColumnReader(pack)
        try:
            return _read(about, reader)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise damaged(f"its columns do not fit together ({error})") from error

    def preview(self, source: Source, limit: int) -> str:
        """Shape, columns and the first rows."""
        value: Any = self.load(source)
        if isinstance(value, pd.Index):
            return shorten(repr(value), limit)
        head = value.head(10).to_string()
        return shorten(f"{type(value).__name__} of shape {value.shape}\n{head}", limit)

    def references(self, source: Source) -> Iterator[str]:  # noqa: ARG002
        """None."""
        return iter(())


def _write_values(frame: Any, writer: ColumnWriter) -> list[Description] | Description:
    dtypes = set(frame.dtypes)
    if len(dtypes) == 1 and frame.shape[1] > 1:
        dtype = dtypes.pop()
        if isinstance(dtype, np.dtype) and dtype.kind in _PLAIN_KINDS:
            # One block: read without a copy. Always by columns, whatever it was made from.
            return {"kind": "block", "at": writer.array(np.asfortranarray(frame.to_numpy()))}
    return [writer.column(frame.iloc[:, at].array) for at in range(frame.shape[1])]


def _read(about: Description, reader: ColumnReader) -> Any:
    index = reader.index(about["index"])
    if about["kind"] == "index":
        return index
    if about["kind"] == "series":
        values = reader.column(about["values"])
        return pd.Series(values, index=index, name=about["name"], dtype=_dtype(values), copy=False)
    columns = reader.index(about["columns"])
    if isinstance(about["values"], dict):
        block: Any = reader.array(cast("Description", about["values"])["at"])
        return pd.DataFrame(block, index=index, columns=columns, copy=False)
    arrays = [reader.column(column) for column in about["values"]]
    series = {
        at: pd.Series(values, index=index, dtype=_dtype(values), copy=False)
        for at, values in enumerate(arrays)
    }
    frame = pd.DataFrame(series, index=index, copy=False)
    if len(columns) != len(series):
        raise damaged("it does not have one name for each column")
    frame.columns = columns
    return frame


def _dtype(values: Any) -> Any:
    # Said, not guessed: pandas would take objects that are all texts for its text dtype.
    return values.dtype
