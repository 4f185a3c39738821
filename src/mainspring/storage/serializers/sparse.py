"""The formats "sparse" and "masked": arrays that are made of several plain arrays."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from mainspring.storage.serializers.arrays import Npy
from mainspring.storage.serializers.base import Sink, Source, Unsupported, damaged, shorten
from mainspring.storage.serializers.pack import Pack, PackWriter

_PARTS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "coo": ("data", "row", "col"),
    "dia": ("data", "offsets"),
}
_NPY = Npy()


class Sparse:
    """scipy's sparse matrices and arrays in their own layout."""

    name = "sparse"
    data_only = True
    refers = False

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write the arrays that the matrix is made of."""
        matrix: Any = value
        if matrix.format not in _PARTS or len(matrix.shape) != 2:
            raise Unsupported(
                f"it is a {matrix.format} of shape {matrix.shape}", hint="return value.tocsr()"
            )
        pack = PackWriter(sink)
        for part in _PARTS[matrix.format]:
            pack.add(np.asarray(getattr(matrix, part)), serializer=_NPY)
        kind = "array" if type(matrix).__name__.endswith("_array") else "matrix"
        shape = [int(side) for side in matrix.shape]
        pack.finish({"format": matrix.format, "kind": kind, "shape": shape})

    def load(self, source: Source) -> object:
        """Read the matrix; its indices are checked."""
        pack = Pack(source)
        about = pack.about()
        parts = _arrays(pack)
        try:
            if about["kind"] not in ("array", "matrix"):
                raise ValueError("it is of an unknown kind")
            names = _PARTS[about["format"]]
            make = getattr(import_module("scipy.sparse"), f"{about['format']}_{about['kind']}")
            given = parts[0], tuple(parts[1:])
            data = (*parts,) if "indptr" in names else given
            made = make((parts[0], parts[1]) if len(parts) == 2 else data, shape=about["shape"])
            if hasattr(made, "check_format"):
                made.check_format(full_check=True)
            return made
        except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
            raise damaged(f"it is not a sparse matrix ({error})") from error

    def preview(self, source: Source, limit: int) -> str:
        """Shape, type and number of values."""
        return shorten(repr(self.load(source)), limit)

    def references(self, source: Source) -> Iterator[str]:  # noqa: ARG002
        """None."""
        return iter(())


class Masked:
    """A `numpy.ma.MaskedArray`: its values, mask and fill value."""

    name = "masked"
    data_only = True
    refers = False

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Write values and mask; masked values are kept as they are."""
        array: Any = value
        pack = PackWriter(sink)
        pack.add(np.asarray(array.data), serializer=_NPY)
        pack.add(np.ma.getmaskarray(array), serializer=_NPY)
        pack.add(np.asarray(array.fill_value), serializer=_NPY)
        pack.finish({"kind": "masked", "mask": array.mask is not np.ma.nomask})

    def load(self, source: Source) -> object:
        """Read the array."""
        pack = Pack(source)
        try:
            data, mask, fill = _arrays(pack)
            given = mask if pack.about()["mask"] else np.ma.nomask
            return np.ma.MaskedArray(data, mask=given, fill_value=fill[()])
        except (ValueError, KeyError, TypeError, np.ma.MaskError) as error:
            raise damaged(f"it is not a masked array ({error})") from error

    def preview(self, source: Source, limit: int) -> str:
        """Type, shape and values."""
        array: Any = self.load(source)
        return shorten(f"{array.dtype} masked array of shape {array.shape}\n{array}", limit)

    def references(self, source: Source) -> Iterator[str]:  # noqa: ARG002
        """None."""
        return iter(())


def _arrays(pack: Pack) -> list[Any]:
    entries = pack.entries()
    if any(entry.format != "npy" or entry.offset < 0 for entry in entries):
        raise damaged("a part of it is no array")
    return [pack.load(entry) for entry in entries]
