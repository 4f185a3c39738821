"""Which store, blobs and leases a project has, by its settings."""

from __future__ import annotations

from pathlib import Path

from mainspring.records.errors import ProjectError
from mainspring.records.stores import Leases
from mainspring.settings import StorageTable
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.leases import FileLeases
from mainspring.storage.sqlite import SqliteStore


def open_store(chosen: StorageTable, home: Path, *, migrate: bool = False) -> SqliteStore:
    """Open the project's records. Raises ProjectError, StoreError."""
    if chosen.store is not None:
        raise ProjectError("unknown kind of store", where="storage.store")
    return SqliteStore(home / "store.db", migrate=migrate)


def open_leases(chosen: StorageTable, home: Path, *, ttl: float = 10.0) -> Leases:
    """Return who is alive among the engines of the project's store; `ttl` is how many seconds a
    lease holds without being renewed, where the store is on a server."""
    if chosen.store is None:
        return FileLeases(home / "engines")
    from mainspring.storage.postgres_leases import PostgresLeases

    return PostgresLeases(chosen.store, home / "engines", ttl=ttl)


def open_project_blobs(chosen: StorageTable, home: Path) -> LocalBlobs:
    """Open the project's values. Raises ProjectError, BlobError."""
    if chosen.blobs is not None:
        raise ProjectError("unknown kind of blobs", where="storage.blobs")
    return LocalBlobs(home / "blobs")
