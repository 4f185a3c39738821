from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.app.shapes import Colour, Corner, Point

from mainspring.app import reader
from mainspring.app.reader import Artifacts, plain
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import DefinitionError
from mainspring.storage.serializers import registry
from mainspring.testing.memory import MemoryBlobs


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


def stored(blobs: MemoryBlobs, value: Any, hint: Any = None) -> ArtifactRef:
    return registry.dump(value, hint, blobs)


@pytest.mark.parametrize("value", [3, 0.5, True, None, "text", [1, "a"], {"a": {"b": 1}}])
def test_plain_values(blobs: MemoryBlobs, value: Any) -> None:
    assert Artifacts(blobs).value(stored(blobs, value)) == value


def test_elements_of_lists(blobs: MemoryBlobs) -> None:
    artifacts = Artifacts(blobs)
    ref = artifacts.list_of([stored(blobs, n) for n in (10, 20, 30)])
    assert (ref.format, ref.count) == ("list", 3)
    assert [artifacts.value(ref, n) for n in range(3)] == [10, 20, 30]
    assert artifacts.elements(ref) is artifacts.elements(ref)
    assert artifacts.value(artifacts.json_of([1, 2]), 1) == 2


def test_objects_are_read_without_importing_their_class(blobs: MemoryBlobs) -> None:
    """Their fields are there for expressions: no code of the project runs in the planner."""
    artifacts = Artifacts(blobs)
    ref = stored(blobs, [Point(1, Corner(2, 3)), Colour.RED], list)
    assert artifacts.value(ref) == [{"x": 1, "corner": [2, 3]}, "red"]
    names = artifacts.classes(ref)
    assert {name.rpartition(":")[2] for name in names} == {"Point", "Corner", "Colour"}


def test_classes_in_lists_of_artifacts(blobs: MemoryBlobs) -> None:
    artifacts = Artifacts(blobs)
    ref = artifacts.list_of([stored(blobs, Colour.RED), stored(blobs, [Corner(1, 2)], list)])
    found = {name.rpartition(":")[2] for name in artifacts.classes(ref)}
    assert found == {"Colour", "Corner"}
    assert artifacts.classes(stored(blobs, [1, 2])) == frozenset()


def test_tags_as_plain_data() -> None:
    assert plain({"$tuple": [1, {"$tuple": []}]}) == [1, []]
    assert plain({"$escaped": {"$tuple": 1}}) == {"$tuple": 1}
    assert plain({"a": 1, "$tuple": 2}) == {"a": 1, "$tuple": 2}
    assert plain([{"$dataclass": ["m:C", {"x": {"$tuple": [1]}}]}]) == [{"x": [1]}]


def test_what_an_expression_cannot_read(
    blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = Artifacts(blobs)
    with pytest.raises(DefinitionError, match=r"can't read a value of type numpy\.ndarray"):
        artifacts.value(stored(blobs, np.zeros(3)))
    monkeypatch.setattr(reader, "LIMIT", 10)
    with pytest.raises(DefinitionError, match="too large for an expression"):
        artifacts.value(stored(blobs, "x" * 50))


def test_completeness_is_of_all_that_it_is_made_of(blobs: MemoryBlobs) -> None:
    artifacts = Artifacts(blobs)
    parts = [stored(blobs, np.arange(n + 5_000)) for n in range(2)]
    ref = artifacts.list_of(parts)
    assert artifacts.complete(ref)
    blobs.damage(parts[1].digest)
    assert not artifacts.complete(ref)
    assert not Artifacts(MemoryBlobs()).complete(ref)


def test_memory_is_bounded(blobs: MemoryBlobs) -> None:
    artifacts = Artifacts(blobs)
    for number in range(300):
        artifacts.value(stored(blobs, number))
    assert len(artifacts._values) <= 256


def test_only_the_index_and_the_large_value_read_last_are_remembered(
    blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "INDEX_ENTRIES", 5)
    monkeypatch.setattr(reader, "LARGE", 5)
    artifacts = Artifacts(blobs)
    lists = [stored(blobs, [n] * 4) for n in range(3)]
    for ref in lists:
        assert len(artifacts.elements(ref)) == 4
        assert artifacts.value(ref) == artifacts.value(ref)
    assert list(artifacts._elements) == [lists[-1].digest]
    assert len(artifacts._values) == 1
