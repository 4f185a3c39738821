"""Whose a prefix of a bucket is: one store's of records, since its `gc` deletes all others."""

from __future__ import annotations

import os
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

import msgspec

from mainspring.records.errors import BlobError, ConflictError, StoreError
from mainspring.storage.objects import AbsentError, Objects

KEY = "owner.json"


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """What the marker in a prefix says."""

    store: str
    format: str = "mainspring.owner/1"


def claim(objects: Objects, store: str, *, take: bool = False) -> None:
    """Mark the prefix as this store's, unless it is already.

    One of another store is refused with ConflictError, or taken over with `take`.
    """
    mark = msgspec.json.encode(Owner(store=store))
    found = _owner(objects)
    if found is None and objects.put(KEY, mark):
        return
    found = found or _owner(objects)  # somebody else was faster
    if found == store:
        return
    if not take:
        raise ConflictError(
            f"the values in {objects.url} belong to another store of records",
            where="storage.blobs",
            hint="choose another prefix: two stores that share one delete each other's values. If "
            "the other store is gone, or was copied here, `mainspring store claim` takes them over",
        )
    objects.replace(KEY, mark)


def _owner(objects: Objects) -> str | None:
    try:
        return msgspec.json.decode(objects.read(KEY), type=Owner).store
    except AbsentError:
        return None
    except msgspec.MsgspecError:
        raise BlobError(
            f"the object {KEY} in {objects.url} can't be read",
            hint="`mainspring gc` and new runs need to know whose values these are; "
            "if they are this project's, delete that object and run again",
        ) from None


def id_in_home(home: Path) -> str:
    """The id of the store of records in this home; the first call makes it."""
    path = home / "store.id"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        fd, draft = tempfile.mkstemp(prefix=".store.id.", dir=home)
        try:
            with open(fd, "w", encoding="ascii") as file:
                file.write(uuid.uuid4().hex)
                file.flush()
                os.fsync(fd)
            with suppress(FileExistsError):  # somebody else was faster
                os.link(draft, path)
        finally:
            os.unlink(draft)
    return checked_id(path.read_text("ascii", "replace").strip(), str(path))


def checked_id(found: str, where: str) -> str:
    """The id, if it is one. Raises StoreError."""
    try:
        return uuid.UUID(hex=found).hex
    except ValueError:
        raise StoreError(
            "the id of the store was damaged",
            where=where,
            hint="remove it, then `mainspring store claim` gives the values to this store again",
        ) from None
