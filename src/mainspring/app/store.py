"""The verb `store`: check, migrate and copy a project's records."""

from __future__ import annotations

from pathlib import Path

from mainspring import settings
from mainspring.app.storage import open_store
from mainspring.app.views import StoreView
from mainspring.storage import schema
from mainspring.storage.copying import copy_store, is_url, shown
from mainspring.storage.sqlite import SqliteStore


def check(root: Path, *, migrate: bool = False) -> StoreView:
    """Look at the project's store as a whole, after bringing its format up to date if `migrate`.

    Raises ProjectError, StoreError.
    """
    chosen, home = settings.storage_of(settings.load(root)), settings.home_of(root)
    store = open_store(chosen, home, migrate=migrate)
    try:
        faults = store.integrity()
    finally:
        store.close()
    place = shown(chosen.store or str(home / "store.db"))
    return StoreView(place=place, version=max(schema.numbered()), faults=faults)


def copy(source: str, target: str) -> StoreView:
    """Copy everything from one store to another, and check the copy. Raises StoreError,
    ConflictError when the target is not empty."""
    counts = copy_store(source, target)
    chosen = settings.StorageTable(store=target)
    store = open_store(chosen, Path()) if is_url(target) else SqliteStore(Path(target))
    try:
        faults = store.integrity()
    finally:
        store.close()
    version = max(schema.numbered())
    return StoreView(place=shown(target), version=version, faults=faults, rows=dict(counts))
