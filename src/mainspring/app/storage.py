"""Which store, blobs and leases a project has, by its settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from mainspring.definition import quantities
from mainspring.records.errors import ProjectError
from mainspring.records.ports import Blobs
from mainspring.records.stores import Leases, Store
from mainspring.settings import StorageTable
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.leases import FileLeases
from mainspring.storage.sqlite import SqliteStore

_PATIENCE = 5.0  # seconds for which a database is waited for


class ProjectStore(Store, Protocol):
    """A store that can be asked whether it is whole."""

    def integrity(self) -> list[str]:
        """What is wrong with it; empty when nothing is."""
        ...


def open_store(chosen: StorageTable, home: Path, *, migrate: bool = False) -> ProjectStore:
    """Open the project's records. Raises ProjectError, StoreError."""
    if chosen.store is None:
        return SqliteStore(home / "store.db", migrate=migrate)
    if not chosen.store.startswith(("postgresql://", "postgres://")):
        raise ProjectError(
            "unknown kind of store",
            where="storage.store",
            hint="give a URL that begins with postgresql://, or nothing for a file in the home",
        )
    from mainspring.storage.postgres import PostgresStore

    return PostgresStore(chosen.store, migrate=migrate)


def open_leases(chosen: StorageTable, home: Path, *, ttl: float = 10.0) -> Leases:
    """Return who is alive among the engines of the project's store; `ttl` is how many seconds a
    lease holds without being renewed, where the store is on a server."""
    if chosen.store is None:
        return FileLeases(home / "engines")
    from mainspring.storage.postgres_leases import PostgresLeases

    return PostgresLeases(chosen.store, home / "engines", ttl=ttl)


def open_project_blobs(chosen: StorageTable, home: Path) -> Blobs:
    """Open the project's values. Raises ProjectError, BlobError."""
    if chosen.blobs is None:
        return LocalBlobs(home / "blobs")
    from mainspring.storage.bucket_access import access_variables
    from mainspring.storage.remote import RemoteBlobs

    limit = quantities.size(chosen.cache, name="cache", where="storage.cache")
    variables = access_variables(os.environ)
    return RemoteBlobs(chosen.blobs, home / "cache" / "blobs", limit, variables)


def claim_blobs(chosen: StorageTable, home: Path, blobs: Blobs, *, take: bool = False) -> None:
    """Make sure that values in a bucket belong to the project's store of records.

    Raises ConflictError where they are another store's, unless this one is to `take` them over.
    """
    if not blobs.place.url:
        return
    from mainspring.storage.owner import id_in_home
    from mainspring.storage.remote import RemoteBlobs

    if chosen.store is None:
        found = id_in_home(home)
    else:
        from mainspring.storage import postgres_schema
        from mainspring.storage.postgres_connection import Address

        found = postgres_schema.identity(Address(chosen.store), _PATIENCE)
    if isinstance(blobs, RemoteBlobs):
        blobs.claim(found, take=take)
