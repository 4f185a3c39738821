from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import SerializationError
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers.registry import dump, load, preview

PADDED = np.dtype([("a", "u1"), ("b", "f8"), ("c", [("d", "i2"), ("e", "i8")], (2,))], align=True)
dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.complex_number_dtypes(),
    hnp.datetime64_dtypes(),
    hnp.timedelta64_dtypes(),
    hnp.unicode_string_dtypes(min_len=1),
    hnp.byte_string_dtypes(min_len=1),
    hnp.array_dtypes(allow_subarrays=True).filter(lambda dtype: str(dtype).isascii()),
)
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
views: list[Any] = [lambda a: a, np.transpose, lambda a: a[::2] if a.ndim else a]
views += [np.asfortranarray, lambda a: a[..., ::-1] if a.ndim else a]


def exact(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype.names:
        return all(exact(a[name], b[name]) for name in a.dtype.names)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> LocalBlobs:
    return LocalBlobs(tmp_path_factory.mktemp("arrays"))


@given(arrays, st.sampled_from(views))
def test_an_array_comes_back_exactly(blobs: LocalBlobs, array: np.ndarray, view: Any):
    value = view(array)
    ref = dump(value, np.ndarray, blobs)
    again = load(ref, blobs)
    assert isinstance(again, np.ndarray)
    assert exact(again, value)
    assert again.flags.writeable
    assert dump(again, np.ndarray, blobs) == ref
    assert np.load(io.BytesIO(blobs.read(ref.digest))).shape == value.shape  # plain npy


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_in_memory_is_kept(blobs: LocalBlobs, order: Any):
    value = np.asarray(np.arange(600_000.0).reshape(600, 1000), order=order)
    again = load(dump(value, None, blobs), blobs)
    assert isinstance(again, np.ndarray)
    assert again.flags.c_contiguous == value.flags.c_contiguous
    assert np.array_equal(again, value)


def test_a_large_array_is_mapped_and_writing_to_it_changes_no_blob(blobs: LocalBlobs):
    ref = dump(np.arange(1 << 20), None, blobs)
    before = blobs.path(ref.digest).read_bytes()
    again = load(ref, blobs)
    assert isinstance(again, np.ndarray)
    assert not again.flags.owndata
    again[:] = -1
    assert blobs.path(ref.digest).read_bytes() == before
    assert isinstance(fresh := load(ref, blobs), np.ndarray)
    assert fresh[5] == 5


def test_padding_in_records_does_not_show(blobs: LocalBlobs):
    zeros, ones = (
        np.frombuffer(bytearray([fill]) * PADDED.itemsize * 3, PADDED) for fill in (0, 255)
    )
    values = []
    for raw in (zeros, ones):  # a copy would have whatever lies in memory as padding
        for name in ("a", "b"):
            raw[name] = 7
        raw["c"]["d"] = 1
        raw["c"]["e"] = 2
        values.append(raw)
    assert values[0].tobytes() != values[1].tobytes()
    refs = [dump(value, None, blobs) for value in values]
    assert refs[0] == refs[1]
    assert np.array_equal(load(refs[0], blobs), values[1])  # type: ignore[arg-type]


def test_a_memmap_is_stored_as_an_array(blobs: LocalBlobs, tmp_path: Path):
    value = np.memmap(tmp_path / "m", np.int32, "w+", shape=(3,))
    assert type(load(dump(value, np.ndarray, blobs), blobs)) is np.ndarray


@pytest.mark.parametrize(
    "value",
    [np.array([1, "a", None], object), np.array(["x"], np.dtypes.StringDType()), np.array([{}])],
)
def test_arrays_of_objects_are_refused_with_a_hint(blobs: LocalBlobs, value: np.ndarray):
    with pytest.raises(SerializationError, match="Python objects") as caught:
        dump(value, np.ndarray, blobs)
    assert "astype" in str(caught.value.hint)


def test_a_header_that_npy_has_no_room_for_is_refused(blobs: LocalBlobs):
    value = np.zeros(1, [("列", "i4")])
    with pytest.raises(SerializationError, match="header"):
        dump(value, None, blobs)


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x09\x00\x76\x00",
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"\x80\x05N."),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", bytes(8)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", bytes(9)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", bytes(8)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1), }", bytes(8)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (9**99,), }"),
        npy("__import__('os')"),
        npy("(" * 100),
    ],
)
def test_damaged_or_hostile_arrays_are_one_clear_error(blobs: LocalBlobs, content: bytes):
    digest, size = blobs.put(content)
    with pytest.raises(SerializationError, match="can't be read"):
        load(ArtifactRef(digest=digest, size=size, format="npy"), blobs)


def test_preview_says_dtype_shape_and_some_values(blobs: LocalBlobs):
    text = preview(dump(np.zeros((1000, 3), np.float32), None, blobs), blobs)
    assert text.startswith("float32 array of shape (1000, 3)\n[[0. 0. 0.]")
    assert len(text) < 300


MEASURE = """
import resource, sys
from pathlib import Path
import numpy as np
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers.registry import dump
array = np.ones(64 << 20, np.float32)  # 256 MiB
value = {"plain": array, "list": [array], "strided": array.reshape(-1, 2)[:, 0]}[sys.argv[2]]
blobs = LocalBlobs(Path(sys.argv[1]))
dump(np.ones(4 << 20, np.float32), None, blobs)  # modules, threads, buffers
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
dump(value, None, blobs)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize("kind", ["plain", "list", "strided"])
def test_writing_an_array_holds_no_second_copy(tmp_path: Path, kind: str):
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "blobs"), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 40 << 20
