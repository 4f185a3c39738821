"""The in-memory reader of artifacts agrees with the application's, over the same values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from mainspring.app.reader import Artifacts
from mainspring.planning.resolve import ArtifactReader
from mainspring.storage.blobs import LocalBlobs
from mainspring.testing.artifacts import MemoryArtifacts


@pytest.fixture(params=["memory", "files"])
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactReader:
    if request.param == "memory":
        return MemoryArtifacts()
    return Artifacts(LocalBlobs(tmp_path / "blobs"))


VALUES = [None, True, 0, -1.5, "ü", [], [1, [2]], {"b": 1, "a": [None]}]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back(reader: ArtifactReader, value: Any) -> None:
    ref = reader.json_of(value)
    assert reader.value(ref) == value
    assert ref == reader.json_of(value)
    assert (ref.format in ("json", "text"), reader.complete(ref)) == (True, True)


def test_a_list_of_artifacts(reader: ArtifactReader) -> None:
    refs = [reader.json_of(i * 11) for i in range(3)]
    made = reader.list_of(iter(refs))
    assert (made.format, made.count) == ("list", 3)
    entries = reader.elements(made)
    assert [(e.digest, e.size, e.format, e.offset) for e in entries] == [
        (ref.digest, ref.size, "json", -1) for ref in refs
    ]
    assert [reader.value(made, index) for index in range(3)] == [0, 11, 22]
    assert reader.list_of(refs) == made
    assert reader.list_of(refs[::-1]).digest != made.digest
    assert reader.elements(reader.list_of([])) == ()


def test_elements_of_a_json_list(reader: ArtifactReader) -> None:
    ref = reader.json_of([1, {"b": 2, "a": None}, "x"])
    entries = reader.elements(ref)
    singles = [reader.json_of(item) for item in (1, {"a": None, "b": 2})]
    assert [e.digest for e in entries[:2]] == [single.digest for single in singles]
    assert all(entry.format == "json" and entry.offset >= 0 for entry in entries)
    assert reader.value(ref, 1) == {"a": None, "b": 2}


def test_equal_values_have_equal_names_in_both(tmp_path: Path) -> None:
    memory, files = MemoryArtifacts(), Artifacts(LocalBlobs(tmp_path / "blobs"))
    for value in (None, 0, 1.0, True, [], [1, [2]], {"b": 1, "a": [None]}, math.nan):
        assert memory.json_of(value).digest == files.json_of(value).digest, value


def test_what_is_lost_is_not_complete() -> None:
    reader = MemoryArtifacts()
    first, second = reader.json_of(1), reader.json_of(2)
    both = reader.list_of([first, second])
    assert reader.complete(both)
    reader.forget(first)
    assert [reader.complete(ref) for ref in (first, second, both)] == [False, True, False]
    reader.json_of(1)
    assert reader.complete(both)
    reader.forget(both)
    assert [reader.complete(ref) for ref in (first, second, both)] == [True, True, False]
