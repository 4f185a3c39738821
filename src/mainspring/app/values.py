"""The verbs `store claim` and `store copy-values`: whose the values are, and where they move to."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mainspring import settings
from mainspring.app.storage import claim_blobs, open_project_blobs
from mainspring.app.views import ValuesView
from mainspring.records.errors import BlobError, ConflictError, ProjectError
from mainspring.records.ports import BlobEntry, Blobs
from mainspring.storage.blobs import LocalBlobs

AT_ONCE = 8


def claim(root: Path) -> ValuesView:
    """Make the project's store the owner of the values in its bucket, whoever was that before.

    Raises ProjectError where the values are not in a bucket.
    """
    chosen, home = settings.storage_of(settings.load(root)), settings.home_of(root)
    blobs = open_project_blobs(chosen, home)
    if not blobs.place.url:
        raise ProjectError(
            "values on a disk belong to the project whose home they are in: nothing to claim",
            where="storage.blobs",
        )
    claim_blobs(chosen, home, blobs, take=True)
    return ValuesView(place=blobs.place.url)


def copy(root: Path, target: str) -> ValuesView:
    """Copy the project's values to a bucket (`s3://`, `gs://`, `az://`) or a directory.

    What is there already is left; so a copy that was interrupted goes on. Each is checked as it
    is read. Raises BlobError, ConflictError for a bucket of another store.
    """
    chosen, home = settings.storage_of(settings.load(root)), settings.home_of(root)
    source = open_project_blobs(chosen, home)
    (home / "cache").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="copy-", dir=home / "cache") as spool:
        there = _target(target, Path(spool))
        if there.place.url == source.place.url and (
            there.place.url or there.place.root == source.place.root
        ):
            raise ConflictError("values can't be copied to where they are", where=target)
        claim_blobs(chosen, home, there)
        copied, size, present = _copy(source, there)
    shown = there.place.url or there.place.root
    return ValuesView(place=shown, copied=copied, size=size, present=present)


def _target(target: str, spool: Path) -> Blobs:
    if "://" not in target:
        return LocalBlobs(Path(target))
    from mainspring.storage.bucket_access import access_variables
    from mainspring.storage.remote import RemoteBlobs

    # No cache: what only passes through must not push out what the project works with.
    return RemoteBlobs(target, spool, 0, access_variables(os.environ))


def _copy(source: Blobs, there: Blobs) -> tuple[int, int, int]:
    present = {entry.digest: entry.size for entry in there.listing()}
    release = _release(source)
    copied = size = found = 0
    with ThreadPoolExecutor(AT_ONCE, "mainspring-copy") as pool:
        coming: deque[Future[int]] = deque()
        try:
            for entry in source.listing():
                if present.get(entry.digest) == entry.size:
                    found += 1
                    continue
                coming.append(pool.submit(_copy_one, source, there, entry, release))
                copied += 1
                if len(coming) > 2 * AT_ONCE:
                    size += coming.popleft().result()
            while coming:
                size += coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()
    return copied, size, found


def _release(source: Blobs) -> Callable[[str], None]:
    if not source.place.url:
        return lambda _: None
    from mainspring.storage.remote import RemoteBlobs

    return source.release if isinstance(source, RemoteBlobs) else lambda _: None


def _copy_one(source: Blobs, there: Blobs, entry: BlobEntry, release: Callable[[str], None]) -> int:
    digest, size = there.put_file(source.path(entry.digest))
    release(entry.digest)
    if digest != entry.digest:
        raise BlobError(f"blob {entry.digest} has changed while it was being copied")
    return size
