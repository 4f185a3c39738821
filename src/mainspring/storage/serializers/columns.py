"""Columns of a pandas frame, and pandas indexes, as packed plain arrays and a description."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd

from mainspring.records.errors import SerializationError
from mainspring.storage.serializers import jsonvalues
from mainspring.storage.serializers.arrays import Array, Npy
from mainspring.storage.serializers.base import Unsupported, damaged, type_text
from mainspring.storage.serializers.pack import Pack, PackWriter
from mainspring.storage.serializers.plain import Bytes, Json

Description = dict[str, Any]
_pandas: Any = pd  # where its own annotations say nothing
_NPY, _BYTES, _JSON = Npy(), Bytes(), Json()
_INTEGERS = (f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
_MASKED: tuple[type, ...] = tuple(
    _pandas.api.types.pandas_dtype(name).__class__
    for name in (*_INTEGERS, "boolean", "Float32", "Float64")
)


class ColumnWriter:
    """Appends arrays to a pack; each method returns the description to read them by."""

    def __init__(self, pack: PackWriter) -> None:
        self._pack = pack
        self._count = 0

    def array(self, values: Any) -> int:
        """A numpy array; returns its place in the pack."""
        self._pack.add(np.asarray(values), serializer=_NPY)
        self._count += 1
        return self._count - 1

    def column(self, values: Any) -> Description:
        """The values of a Series or Index (`.array`), of any supported dtype."""
        if type(values) is pd.arrays.NumpyExtensionArray:  # not its subclass for texts
            values = values.to_numpy()
        dtype = values.dtype
        if isinstance(dtype, np.dtype):
            if dtype.kind == "O":
                return self._objects(values)
            return {"kind": "numpy", "at": self.array(values)}
        if isinstance(dtype, pd.StringDtype):
            return self._strings(values)
        if isinstance(dtype, pd.CategoricalDtype):
            return {
                "kind": "categorical",
                "codes": self.array(values.codes),
                "categories": self.index(values.categories),
                "ordered": bool(values.ordered),
            }
        if isinstance(dtype, _MASKED):
            return self._masked(values)
        return self._time_or_interval(values)

    def index(self, index: Any) -> Description:
        """An Index of any kind, with its names."""
        kind = cast("type[Any]", type(index))
        if kind is pd.MultiIndex:
            return {
                "kind": "multi",
                "levels": [self.index(level) for level in index.levels],
                "codes": [self.array(codes) for codes in index.codes],
                "names": list(index.names),
            }
        if kind is pd.RangeIndex:
            bounds = [index.start, index.stop, index.step]
            return {"kind": "range", "bounds": bounds, "names": list(index.names)}
        about = self.column(index.array)
        freq = getattr(index, "freqstr", None) if about["kind"] in ("zoned", "numpy") else None
        return {"kind": "index", "values": about, "names": list(index.names), "freq": freq}

    def _json(self, value: object) -> int:
        self._pack.add(value, serializer=_JSON)
        self._count += 1
        return self._count - 1

    def _masked(self, values: Any) -> Description:
        missing = np.asarray(values.isna())
        plain = values.to_numpy(dtype=values.dtype.numpy_dtype, na_value=0)
        return {
            "kind": "masked",
            "dtype": str(values.dtype),
            "at": self.array(plain),
            "missing": self.array(missing),
        }

    def _strings(self, values: Any) -> Description:
        missing = np.asarray(values.isna())
        try:
            encoded = [
                b"" if absent else cast("str", text).encode()
                for text, absent in zip(values, missing, strict=True)
            ]
        except UnicodeEncodeError as error:
            raise SerializationError("a text in a column has a lone surrogate") from error
        ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), dtype=np.int64)
        self._pack.add(b"".join(encoded), serializer=_BYTES)
        self._count += 1
        return {
            "kind": "strings",
            "storage": values.dtype.storage,
            "missing_is": "NA" if values.dtype.na_value is pd.NA else "nan",
            "bytes": self._count - 1,
            "ends": self.array(ends),
            "missing": self.array(missing),
        }

    def _objects(self, values: Any) -> Description:
        items = list(values)
        absent = [at for at, item in enumerate(items) if item is pd.NA]
        no_time = [at for at, item in enumerate(items) if item is pd.NaT]
        for at in (*absent, *no_time):
            items[at] = None
        try:
            jsonvalues.encode(items)
        except Unsupported as error:
            raise SerializationError(
                f"a column of objects can't be stored: {error.reason}",
                where=f"value{error.where}",
                hint="convert the column to a dtype of its own, or drop it",
            ) from error
        return {"kind": "objects", "at": self._json(items), "NA": absent, "NaT": no_time}

    def _time_or_interval(self, values: Any) -> Description:
        dtype = values.dtype
        if isinstance(dtype, pd.DatetimeTZDtype) and _reads_back(dtype):
            plain = values.tz_convert(None).to_numpy()
            return {"kind": "zoned", "dtype": str(dtype), "at": self.array(plain)}
        if isinstance(dtype, pd.PeriodDtype):
            ordinals = values.astype("int64")
            return {"kind": "period", "dtype": str(dtype), "at": self.array(ordinals)}
        if isinstance(dtype, pd.IntervalDtype):
            return {
                "kind": "interval",
                "left": self.index(values.left),
                "right": self.index(values.right),
                "closed": values.closed,
            }
        raise SerializationError(
            f"a column of dtype {dtype} can't be stored ({type_text(values)})",
            hint="convert it, for example with .astype(...) or .sparse.to_dense()",
        )


class ColumnReader:
    """Reads what `ColumnWriter` wrote."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._entries = pack.entries()

    def array(self, at: int) -> Array:
        """A numpy array by its place in the pack."""
        return cast("Array", self._part(at, "npy"))

    def column(self, about: Description) -> Any:
        """A numpy array or pandas array."""
        kind = about["kind"]
        read = getattr(self, f"_{kind}", None) if kind in _KINDS else None
        if read is None:
            raise damaged(f"unknown kind of column {kind!r}; it may be from a newer version")
        return read(about)

    def index(self, about: Description) -> Any:
        """An Index."""
        names = about["names"]
        if about["kind"] == "multi":
            levels = [self.index(level) for level in about["levels"]]
            codes = [self.array(at) for at in about["codes"]]
            return pd.MultiIndex(levels=levels, codes=codes, names=names, verify_integrity=True)
        if about["kind"] == "range":
            start, stop, step = about["bounds"]
            return pd.RangeIndex(start, stop, step, name=names[0])
        values = self.column(about["values"])
        dtype = object if about["values"]["kind"] == "objects" else None
        index: Any = pd.Index(values, dtype=dtype, name=names[0])
        if about["freq"] is not None:
            index.freq = about["freq"]
        return index

    def _part(self, at: int, kind: str) -> Any:
        if not 0 <= at < len(self._entries) or self._entries[at].format != kind:
            raise damaged("a column of it is not there")
        return self._pack.load(self._entries[at])

    def _numpy(self, about: Description) -> Array:
        return self.array(about["at"])

    def _objects(self, about: Description) -> Array:
        items = self._part(about["at"], "json")
        for at in about["NA"]:
            items[at] = pd.NA
        for at in about["NaT"]:
            items[at] = pd.NaT
        values = np.empty(len(items), object)
        for at, item in enumerate(items):  # not values[:] = items: an item may be a list
            values[at] = item
        return values

    def _strings(self, about: Description) -> Any:
        data = self._part(about["bytes"], "bytes")
        values = np.empty(len(self.array(about["ends"])), object)
        absent = pd.NA if about["missing_is"] == "NA" else np.nan
        start = 0
        missing = self.array(about["missing"])
        for at, end in enumerate(self.array(about["ends"]).tolist()):
            values[at] = absent if missing[at] else data[start:end].decode()
            start = end
        return pd.array(values, dtype=pd.StringDtype(about["storage"], na_value=absent))

    def _categorical(self, about: Description) -> Any:
        dtype = pd.CategoricalDtype(self.index(about["categories"]), about["ordered"])
        return _pandas.Categorical.from_codes(self.array(about["codes"]), dtype=dtype)

    def _masked(self, about: Description) -> Any:
        values: Any = pd.array(self.array(about["at"]), dtype=about["dtype"])
        values[self.array(about["missing"])] = pd.NA
        return values

    def _zoned(self, about: Description) -> Any:
        dtype = pd.DatetimeTZDtype.construct_from_string(about["dtype"])
        plain: Any = pd.DatetimeIndex(self.array(about["at"]))
        return plain.tz_localize("UTC").tz_convert(dtype.tz).array

    def _period(self, about: Description) -> Any:
        ordinals = self.array(about["at"])
        dtype = _pandas.PeriodDtype.construct_from_string(about["dtype"])
        return _pandas.PeriodIndex.from_ordinals(ordinals, freq=dtype.freq).array

    def _interval(self, about: Description) -> Any:
        left, right = self.index(about["left"]), self.index(about["right"])
        return _pandas.arrays.IntervalArray.from_arrays(left, right, closed=about["closed"])


_KINDS = frozenset(
    ("numpy", "objects", "strings", "categorical", "masked", "zoned", "period", "interval")
)


def _reads_back(dtype: Any) -> bool:
    try:
        return bool(pd.DatetimeTZDtype.construct_from_string(str(dtype)) == dtype)
    except (TypeError, ValueError):
        return False
