"""Opening blobs by where they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mainspring.records.ports import BlobPlace, Blobs
from mainspring.storage.blobs import LocalBlobs


def open_blobs(place: BlobPlace, variables: Mapping[str, str] | None = None) -> Blobs:
    """Return the blobs at a place; `variables` (default: the environment) have credentials."""
    if not place.url:
        return LocalBlobs(Path(place.root))
    from mainspring.storage.remote import RemoteBlobs

    chosen = os.environ if variables is None else variables
    return RemoteBlobs(place.url, Path(place.root), place.cache_size, dict(chosen))


def access_to(place: BlobPlace, source: Mapping[str, str]) -> dict[str, str]:
    """The variables with which another process on this machine can open the place."""
    if not place.url:
        return {}
    from mainspring.storage.bucket_access import access_variables

    return access_variables(source)
