"""Blobs are opened again by where they are."""

from __future__ import annotations

from pathlib import Path

from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.places import open_blobs


def test_the_same_blobs_are_opened(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    digest, _ = blobs.put(b"once")
    assert open_blobs(blobs.place).read(digest) == b"once"
