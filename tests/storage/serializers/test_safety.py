"""What a value consists of, told by its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import SerializationError
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers import registry
from mainspring.storage.serializers.safety import Examined


class Odd:
    """Has no form but a pickle."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (int, ("7",))


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def examined(ref: ArtifactRef, blobs: LocalBlobs) -> Examined:
    found = Examined()
    found.add(ref, blobs)
    return found


def test_plain_data_is_safe(blobs: LocalBlobs) -> None:
    for value in (1, "text", [1, 2], {"a": [b"bytes"]}):
        assert examined(registry.dump(value, None, blobs), blobs).unsafe == set()


def test_a_pickle_is_found_however_deep_and_whatever_is_said_of_it(blobs: LocalBlobs) -> None:
    for value in (Odd(), [1, Odd()], {"a": {"b": [Odd()]}}):
        ref = msgspec.structs.replace(registry.dump(value, None, blobs), data_only=True)
        assert examined(ref, blobs).unsafe == {"pickle"}
    inner = registry.dump([Odd()], list, blobs)
    outer = registry.make_list([inner], blobs)
    assert examined(outer, blobs).unsafe == {"pickle"}
    assert examined(outer, blobs).needs == {inner.digest}


def test_of_what_is_not_there_only_what_is_said_counts(blobs: LocalBlobs) -> None:
    ref = ArtifactRef(digest="blake3:" + "0" * 64, size=5, format="pickle", data_only=False)
    assert examined(ref, blobs).unsafe == {"pickle"}
    assert examined(msgspec.structs.replace(ref, data_only=True), blobs).unsafe == set()


def test_the_files_of_a_directory_are_needed(blobs: LocalBlobs, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_text("a")
    ref = registry.dump(tmp_path / "d", None, blobs)
    assert examined(ref, blobs).needs == set(registry.references(ref, blobs))


def test_a_pack_that_holds_itself_ends(blobs: LocalBlobs) -> None:
    """Lists of one list, many times over: each is looked at once."""
    ref = registry.dump([1], list, blobs)
    for _ in range(60):
        ref = registry.make_list([ref, ref], blobs)
    assert examined(ref, blobs).unsafe == set()


def test_a_value_that_is_built_wrongly(blobs: LocalBlobs) -> None:
    digest, size = blobs.put(b"no pack at all, though it is long enough for its trailer" * 3)
    with pytest.raises(SerializationError):
        examined(ArtifactRef(digest=digest, size=size, format="list"), blobs)
