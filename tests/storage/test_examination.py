"""A blob is read as a whole, whatever its seal says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mainspring.storage.blobs import SEAL, SMALL, LocalBlobs
from mainspring.storage.examination import examine
from mainspring.testing.memory import MemoryBlobs


@pytest.mark.parametrize("size", [10, SMALL + 10])
def test_damage_is_found_and_moved_aside(tmp_path: Path, size: int) -> None:
    blobs = LocalBlobs(tmp_path)
    digest, _ = blobs.put(b"x" * size)
    assert examine(blobs, digest, size) == ""
    path = blobs.path(digest)
    os.chmod(path, 0o644)
    with path.open("r+b") as file:
        file.seek(5)
        file.write(b"y")
    os.utime(path, ns=(SEAL, SEAL))  # as a disk that fails would leave it
    assert "damaged" in examine(blobs, digest, size)
    assert examine(blobs, digest, size) == "is missing"
    assert blobs.put(b"x" * size)[0] == digest
    assert examine(blobs, digest, size) == ""
    assert "instead of" in examine(blobs, digest, size + 1)


def test_blobs_of_any_kind() -> None:
    blobs = MemoryBlobs()
    digest, _ = blobs.put(b"one")
    assert examine(blobs, digest, 3) == ""
    blobs.damage(digest)
    assert examine(blobs, digest, 3) == "is missing"  # found by `intact`, which drops it
