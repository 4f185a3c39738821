"""Data that stays where it is: a version that names its place, and notices when it changes.

A reference is a small JSON blob; the manifest that it names has the digest of each file. What was
checked is remembered beside the blobs, so that only a file whose state has changed is read.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.canonical import canonical
from mainspring.records.errors import BlobError, MainspringError, SerializationError
from mainspring.records.ports import Blobs
from mainspring.storage.folders.manifest import FileEntry, entries_of
from mainspring.storage.folders.reading import Reading
from mainspring.storage.folders.walk import One, Walk
from mainspring.storage.intake import HashingIntake

FORMAT = "reference"
_NAMED = 3  # files that an error names


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """Where data lies: `place` is absolute, `kind` "directory" or "file", `manifest` the digest of
    what it holds there, `name` the dataset's, `exclude` what is no part of it."""

    exclude: tuple[str, ...] = ()
    kind: str
    manifest: str
    name: str
    place: str


def store_reference(reference: Reference, blobs: Blobs, kind: str) -> ArtifactRef:
    """Store a reference; `kind` is the type that a step is given."""
    digest, size = blobs.put(canonical(reference))
    return ArtifactRef(digest=digest, size=size, format=FORMAT, type=kind)


def read_reference(data: bytes) -> Reference:
    """The reference in a blob. Raises SerializationError."""
    try:
        return msgspec.json.decode(data, type=Reference)
    except msgspec.DecodeError as error:
        raise SerializationError(f"a reference to data can't be read: {error}") from error


def check(reference: Reference, blobs: Blobs) -> Path:
    """The place of the data, once it is known to hold what it should.

    Raises MainspringError, which names what has changed.
    """
    place = reference.place
    if not os.path.exists(place):
        raise MainspringError(
            f"the data of {reference.name} is not there any more",
            where=ascii(place)[1:-1],
            hint="put it back, or mount what it was on",
        )
    with open_reading(reference, blobs) as reading:
        before = reading.before()
        if before is not None and before.digest == reference.manifest and reading.unchanged():
            return Path(place)
        digest, _ = reading.take(reference.name, HashingIntake(), blobs, _folder(blobs))
        if digest != reference.manifest:
            raise _changed(reference, blobs, digest, reading.kind)
        with suppress(OSError):
            reading.remember(digest, digest)
    return Path(place)


def open_reading(reference: Reference, blobs: Blobs) -> Reading:
    """A reading of the place, which remembers the files that it has checked."""
    place = reference.place
    tree = Walk(place, exclude=reference.exclude) if os.path.isdir(place) else One(place)
    return Reading(tree, _folder(blobs) / reference.manifest[7:])


def differences(
    before: Path, after: Path, kind: str, other: str | None = None
) -> list[tuple[str, FileEntry | None, FileEntry | None]]:
    """The files in which two manifests differ, with what each of them says."""
    old = {entry.name: entry for entry in entries_of(before, kind)}
    new = {entry.name: entry for entry in entries_of(after, other or kind)}
    names = sorted({*old, *new})
    return [
        (name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)
    ]


def _changed(reference: Reference, blobs: Blobs, digest: str, kind: str) -> MainspringError:
    found = differences(blobs.path(reference.manifest), blobs.path(digest), reference.kind, kind)
    words = {(True, False): "is missing", (False, True): "was added", (True, True): "has changed"}
    said = [
        f"{ascii(name)[1:-1]} {words[old is not None, new is not None]}"
        for name, old, new in found[:_NAMED]
    ]
    more = f", and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    return MainspringError(
        f"the data of {reference.name} is not what it was: {', '.join(said)}{more}",
        where=ascii(reference.place)[1:-1],
        hint=f"`mainspring data add {reference.name} {reference.place} --reference` makes a new "
        "version of it",
    )


def _folder(blobs: Blobs) -> Path:
    folder = Path(blobs.place.root) / "checked"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BlobError(f"can't write {folder}: {error.strerror}") from error
    return folder
