"""Artifacts and inputs on the wire."""

from __future__ import annotations

import math

import msgspec
import pytest

from mainspring.records.artifacts import (
    Absent,
    ArtifactRef,
    Bundle,
    ElementRef,
    Input,
    Literal,
    Mapping,
    Sequence,
    Stored,
)

REF = ArtifactRef(digest="blake3:1", size=5, format="list", type="list", data_only=False, count=2)
INPUTS: list[Input] = [
    Literal(value={"a": [1, None]}), Literal(value=None), Stored(ref=REF), Stored(ref=REF, index=0),
    Absent(), Sequence(items=()), Sequence(items=(Stored(ref=REF), Absent())),
    Mapping(items={"a": Mapping(items={"b": Literal(value=1.5)})}),
    Bundle(type="m:C", items={"x": Sequence(items=(Literal(value="y"),))}),
]  # fmt: skip


@pytest.mark.parametrize("value", INPUTS)
@pytest.mark.parametrize("wire", [msgspec.json, msgspec.msgpack])
def test_an_input_comes_back_as_it_was(value: Input, wire: object) -> None:
    data = wire.encode(value)  # type: ignore[attr-defined]
    assert wire.decode(data, type=Input) == value  # type: ignore[attr-defined]


def test_not_a_number_survives_where_orders_travel() -> None:
    data = msgspec.msgpack.encode(Literal(value=[math.nan, math.inf]))
    found = msgspec.msgpack.decode(data, type=Input)
    assert isinstance(found, Literal)
    assert math.isnan(found.value[0])
    assert found.value[1] == math.inf


def test_a_reference_says_only_what_is_special() -> None:
    small = ArtifactRef(digest="blake3:1", size=5, format="json")
    assert msgspec.json.encode(small) == b'{"digest":"blake3:1","size":5,"format":"json"}'
    assert msgspec.json.decode(msgspec.json.encode(REF), type=ArtifactRef) == REF


def test_an_index_entry_is_a_short_row() -> None:
    """Ten thousand of them are read at once."""
    entry = ElementRef(digest="blake3:1", size=5, format="npy", offset=64, type="ndarray")
    assert msgspec.json.encode(entry) == b'["blake3:1",5,"npy",64,true,"ndarray"]'
    short = msgspec.json.decode(b'["blake3:1",5,"npy"]', type=ElementRef)
    assert (short.offset, short.data_only, short.type) == (-1, True, "")


def test_references_are_values() -> None:
    assert len({REF, ArtifactRef(**msgspec.structs.asdict(REF))}) == 1
