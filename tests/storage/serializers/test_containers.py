from __future__ import annotations

import contextlib
import os
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.canonical import digest_bytes
from mainspring.records.errors import CorruptBlobError, MainspringError, SerializationError
from mainspring.storage.blobs import SEAL, LocalBlobs
from mainspring.storage.serializers.registry import (
    dump,
    index_of,
    load,
    make_list,
    preview,
    references,
)


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> LocalBlobs:
    return LocalBlobs(tmp_path_factory.mktemp("containers"))


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


leaves = st.one_of(
    st.integers(),
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.binary(max_size=5),
    st.integers(0, 3000).map(np.arange),
    st.just(np.zeros((0, 3))),
)
nested = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text("ab$", max_size=2) | st.integers(), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(nested)
def test_values_in_values_come_back(blobs: LocalBlobs, value: Any):
    ref = dump(value, None, blobs)
    assert ref.data_only
    assert same(load(ref, blobs), value)
    assert dump(value, None, blobs) == ref
    assert list(references(ref, blobs)) == []


def test_each_element_can_be_read_by_itself(blobs: LocalBlobs):
    value = [np.full(size, size) for size in (0, 1, 10, 1000)] + ["text", {"a": 1}, (1, 2)]
    ref = dump(value, None, blobs)
    assert (ref.format, ref.type, ref.count) == ("list", "list", 7)
    index = index_of(ref, blobs)
    for at, (item, entry) in enumerate(zip(value, index, strict=True)):
        assert same(load(ref, blobs, index=at), item)
        alone = dump(item, None, blobs)  # an element has the name that it would have alone
        assert (entry.digest, entry.size, entry.format) == (alone.digest, alone.size, alone.format)
        assert entry.offset % 64 == 0
        assert entry.type == alone.type


def test_a_large_element_is_mapped_in_place(blobs: LocalBlobs):
    ref = dump(["head", np.arange(1 << 18), np.ones(1 << 18)], None, blobs)
    again: Any = load(ref, blobs, index=2)
    assert not again.flags.owndata
    assert again.flags.aligned
    again[:] = 0
    assert load(ref, blobs, index=2)[0] == 1  # type: ignore[index]


@pytest.mark.parametrize("index", [-1, 2, 10**30])
@pytest.mark.parametrize("value", [[np.ones(1), 2], [1, 2]])
def test_an_element_that_is_not_there(blobs: LocalBlobs, value: Any, index: int):
    with pytest.raises(SerializationError, match="has 2 elements"):
        load(dump(value, None, blobs), blobs, index=index)


def test_elements_of_a_json_list(blobs: LocalBlobs):
    value = [1, "ü", {"b": 1, "a": (1, 2)}, [], None]
    ref = dump(value, None, blobs)
    assert ref.format == "json"
    data = blobs.read(ref.digest)
    for at, entry in enumerate(index_of(ref, blobs)):
        piece = data[entry.offset : entry.offset + entry.size]
        assert entry.digest == digest_bytes(piece)
        assert load(ref, blobs, index=at) == value[at]


@pytest.mark.parametrize("value", [1, "text", {"a": 1}, (1, 2), {"a": np.ones(1)}, np.ones(2)])
def test_what_is_no_list_has_no_elements(blobs: LocalBlobs, value: object):
    with pytest.raises(SerializationError, match="no elements"):
        index_of(dump(value, None, blobs), blobs)


def test_an_empty_list_keeps_the_declared_format(blobs: LocalBlobs):
    ref = dump([], list[np.ndarray], blobs)
    assert (ref.format, ref.count) == ("list", 0)
    assert load(ref, blobs) == []
    assert index_of(ref, blobs) == ()


def test_a_list_of_artifacts_points_at_them(blobs: LocalBlobs):
    values = [np.arange(3), {"a": 1}, [np.ones(2)], "x"]
    refs = [dump(value, None, blobs) for value in values]
    whole = make_list(refs, blobs)
    assert (whole.format, whole.count, whole.data_only) == ("list", 4, True)
    assert same(load(whole, blobs), values)
    assert same(load(whole, blobs, index=2), values[2])
    assert [entry.offset for entry in index_of(whole, blobs)] == [-1] * 4
    assert list(references(whole, blobs)) == [ref.digest for ref in refs]
    assert make_list(refs, blobs) == whole
    nested_list = make_list([whole, refs[0]], blobs)
    assert set(references(nested_list, blobs)) == {whole.digest, *(ref.digest for ref in refs)}
    assert load(make_list([], blobs), blobs) == []


def test_a_pickle_inside_marks_the_whole(blobs: LocalBlobs):
    ref = dump([np.ones(1), complex], None, blobs)
    assert not ref.data_only
    assert [entry.data_only for entry in index_of(ref, blobs)] == [True, False]
    assert not make_list([ref], blobs).data_only
    with pytest.raises(SerializationError, match=r"result\[1\].*only be stored as pickle"):
        dump([np.ones(1), complex], None, blobs, allow_pickle=False)


def test_the_place_of_what_cannot_be_stored_is_said(blobs: LocalBlobs):
    value = {"a": np.ones(1), "b": [np.ones(1), {"c": [lambda: 1]}]}
    with pytest.raises(SerializationError, match="lambda") as caught:
        dump(value, None, blobs)
    assert caught.value.where == "result['b'][1]['c'][0]"


def test_a_list_that_contains_itself_is_refused(blobs: LocalBlobs):
    value: list[Any] = [np.ones(1)]
    value.append(value)
    with pytest.raises(SerializationError, match="contains itself"):
        dump(value, None, blobs)


def packed(blobs: LocalBlobs) -> bytes:
    return blobs.read(dump([np.arange(5), "a"], None, blobs).digest)


def stored(blobs: LocalBlobs, data: bytes) -> ArtifactRef:
    digest, size = blobs.put(data)
    return ArtifactRef(digest=digest, size=size, format="list")


def test_a_cut_off_index_is_one_clear_error(blobs: LocalBlobs):
    data = packed(blobs)
    for length in range(len(data)):
        ref = stored(blobs, data[:length])
        for use in (lambda: load(ref, blobs), lambda: load(ref, blobs, index=1)):  # noqa: B023
            with pytest.raises(SerializationError, match="can't be read"):
                use()


@given(at=st.integers(1, 600), value=st.integers(0, 255))
def test_a_changed_byte_never_escapes_as_another_error(blobs: LocalBlobs, at: int, value: int):
    data = bytearray(packed(blobs))
    data[-min(at, len(data))] = value
    ref = stored(blobs, bytes(data))
    for index in (None, 0, 1):
        with contextlib.suppress(MainspringError):
            load(ref, blobs, index=index)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=4, max_size=4))
def test_a_hostile_trailer_is_one_clear_error(blobs: LocalBlobs, numbers: list[int]):
    data = packed(blobs)[:-32] + struct.pack("<4Q", *numbers)
    with pytest.raises(SerializationError, match="can't be read"):
        load(stored(blobs, data), blobs)


def test_a_changed_element_of_a_large_sealed_list_is_found(blobs: LocalBlobs):
    ref = dump([np.ones(1 << 18), "small element"], None, blobs)
    place = blobs.path(ref.digest)
    content = place.read_bytes()
    place.chmod(0o644)
    place.write_bytes(content.replace(b"small element", b"Small element"))
    os.utime(place, ns=(SEAL, SEAL))
    with pytest.raises(CorruptBlobError):
        load(ref, blobs, index=1)


def test_preview_shows_the_first_elements(blobs: LocalBlobs):
    text = preview(dump([np.arange(3)] * 12, None, blobs), blobs)
    assert text.startswith("list of 12\n[0] int64 array of shape (3,)\n[0 1 2]")
    assert text.endswith("and 2 more")
    assert preview(dump({"b": np.ones(1), "a": 1}, None, blobs), blobs).startswith(
        "dict of 2\n'a': 1\n'b': float64 array"
    )
