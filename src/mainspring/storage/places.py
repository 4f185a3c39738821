"""Opening blobs by where they are."""

from __future__ import annotations

from pathlib import Path

from mainspring.records.ports import BlobPlace, Blobs
from mainspring.storage.blobs import LocalBlobs


def open_blobs(place: BlobPlace) -> Blobs:
    """Return the blobs at a place."""
    return LocalBlobs(Path(place.root))
