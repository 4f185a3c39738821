"""The format "npy": numpy arrays, written without a copy and mapped copy-on-write when large."""

from __future__ import annotations

import ast
import io
import math
import operator
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy

from mainspring.storage.serializers.base import Sink, Source, Unsupported, damaged, shorten

PIECE = 8 << 20  # bytes: how much of an array that is not contiguous is gathered at a time
HEADER = 1 << 16  # bytes of header that are read; longer ones are refused when written

Array = np.ndarray[Any, np.dtype[Any]]


class Npy:
    """numpy's own format. C and Fortran order are kept; other layouts become C order."""

    name = "npy"
    data_only = True
    refers = False

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the array; padding between the fields of a record is written as zeros."""
        array = np.asarray(value)
        if array.dtype.hasobject or array.dtype.kind == "T":
            raise Unsupported(
                f"its dtype is {array.dtype}: the elements are Python objects",
                hint="return a list, or convert it: array.astype(float), array.astype(str)",
            )
        sink.write(header(array))
        for piece in _raw(array):
            sink.write(piece)

    def load(self, source: Source) -> object:
        """Read the array; changes to a mapped one stay in this process."""
        shape, fortran, dtype, start = read_header(source)
        order = "F" if fortran else "C"
        if source.data is not None or source.size == start:
            data = bytearray(source.read(start))
            if not data:
                return np.empty(shape, dtype, order)
            return np.frombuffer(data, dtype).reshape(shape, order=order)
        mapped = np.memmap(cast("Any", source.path), dtype, "c", source.start + start, shape, order)
        return mapped.view(np.ndarray)

    def preview(self, source: Source, limit: int) -> str:
        """Type, shape and the first and last values."""
        array = cast("Array", self.load(source))
        text = np.array2string(array, threshold=64, edgeitems=3)
        return shorten(f"{array.dtype} array of shape {array.shape}\n{text}", limit)

    def references(self, source: Source) -> Iterator[str]:  # noqa: ARG002
        """None."""
        return iter(())


def without_padding(data: bytes) -> bytes:
    """The npy form of an array with the padding between the fields of its records zeroed."""
    array = np.load(io.BytesIO(data), allow_pickle=False)
    return header(array) + b"".join(_raw(array)) if _padded(array.dtype) else data


def header(array: Array) -> bytes:
    """The header of an array's npy form: a multiple of 64 bytes."""
    out = io.BytesIO()
    facts = npy.header_data_from_array_1_0(array)
    try:
        npy.write_array_header_1_0(out, facts)
    except ValueError as error:
        raise Unsupported(
            f"its dtype needs a header that npy 1.0 has no room for ({error})",
            hint="use fewer fields, with names in Latin-1; or one array for each",
        ) from error
    return out.getvalue()


def read_header(source: Source) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether in Fortran order, dtype, and where the values begin; all checked."""
    head = source.read(0, min(source.size, HEADER))
    try:
        if npy.read_magic(io.BytesIO(head)) != (1, 0):
            raise ValueError("it is not npy 1.0")
        start = npy.MAGIC_LEN + 2 + int.from_bytes(head[npy.MAGIC_LEN :][:2], "little")
        # Not by numpy's reader: it tries to mend what Python 2 wrote, with warnings.
        facts = ast.literal_eval(head[npy.MAGIC_LEN + 2 : start].decode("latin-1"))
        shape, fortran = facts["shape"], facts["fortran_order"]
        dtype = npy.descr_to_dtype(facts["descr"])
        if not (isinstance(shape, tuple) and isinstance(fortran, bool)):
            raise ValueError(f"its shape is {shape}")
        sides = [operator.index(side) for side in cast("tuple[Any, ...]", shape)]
    except (ValueError, TypeError, LookupError, SyntaxError, RecursionError, MemoryError) as error:
        raise damaged(f"it has no valid npy header ({error})") from error
    size = start + math.prod(sides) * dtype.itemsize
    if dtype.hasobject or min(sides, default=0) < 0 or size != source.size:
        raise damaged(f"it is not an npy array of shape {sides} and type {dtype}")
    return tuple(sides), fortran, dtype, start


def _raw(array: Array) -> Iterator[memoryview]:
    """The array's bytes: in one piece where they lie, else gathered piece by piece."""
    if array.nbytes == 0:
        return
    padded = _padded(array.dtype)
    if array.flags.c_contiguous and not padded:
        yield _bytes(array)
    elif array.flags.f_contiguous and not padded:
        yield _bytes(array.T)
    else:
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        pieces = np.nditer(
            array,
            flags=["external_loop", "buffered", "zerosize_ok"],
            buffersize=max(PIECE // array.itemsize, 1),
            order="F" if fortran else "C",
        )
        for piece in pieces:
            chunk = cast("Array", piece)
            yield _bytes(_clean(chunk) if padded else np.ascontiguousarray(chunk))


def _bytes(array: Array) -> memoryview:
    return memoryview(cast("Any", array.reshape(-1).view(np.uint8)))


def _padded(dtype: np.dtype[Any]) -> bool:
    if dtype.subdtype is not None:
        return _padded(dtype.subdtype[0])
    if dtype.fields is None:
        return False
    fields = [entry[0] for entry in dtype.fields.values()]
    return sum(f.itemsize for f in fields) != dtype.itemsize or any(map(_padded, fields))


def _clean(array: Array) -> Array:
    clean = np.zeros(array.shape, array.dtype)
    _copy_fields(clean, array)
    return clean


def _copy_fields(target: Array, source: Array) -> None:
    if target.dtype.names is None:
        target[...] = source
        return
    for name in target.dtype.names:
        _copy_fields(target[name], source[name])
