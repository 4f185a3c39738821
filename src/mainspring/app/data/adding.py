"""The verb `data add`: what lies in a place becomes a version of a dataset, if it is new."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from mainspring.app.data.profiling import Profile, profile, store
from mainspring.app.occupancy import in_use
from mainspring.app.project import Project
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.canonical import digest_of
from mainspring.records.datasets import DatasetVersion, check_name
from mainspring.records.errors import NotFoundError
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.folders.content import Content
from mainspring.storage.folders.reading import Believed, Progress, Reading
from mainspring.storage.folders.reference import Reference, store_reference
from mainspring.storage.folders.walk import One, Walk
from mainspring.storage.intake import HashingIntake, intake

PATH = "pathlib.PosixPath"  # the type of what a step is given


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be added, and how: `keep` is "copy", "link" or "reference"."""

    name: str
    keep: str = "copy"
    exclude: tuple[str, ...] = ()
    label: str | None = None
    message: str = ""
    profile: bool = True


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """The version, whether it is new, and how many files and bytes were read for it."""

    version: DatasetVersion
    new: bool
    read: int = 0
    read_size: int = 0


def add_path(
    project: Project, wanted: Wanted, path: Path, *, progress: Progress | None = None
) -> Added:
    """Make what a directory or file holds now a version of a dataset.

    Raises MainspringError for what can't be kept, naming it; then nothing is recorded.
    """
    check_name(wanted.name)
    place = os.path.realpath(path)
    with (
        in_use(project.home),
        reading_of(project, wanted.name, path, wanted.keep, wanted.exclude, progress) as reading,
    ):
        project.claim()
        return _add(project, wanted, place, reading)


def reading_of(
    project: Project,
    name: str,
    path: Path,
    way: str,
    exclude: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> Reading:
    """A reading of a directory or file, which remembers what was found there in the same `way`.
    Raises NotFoundError."""
    place = os.path.realpath(path)
    if not os.path.exists(place):
        raise NotFoundError(f"there is no file or directory {ascii(str(path))[1:-1]}")
    home = os.path.realpath(project.home)
    tree = Walk(place, exclude=exclude, skip=home) if os.path.isdir(place) else One(place)
    mark = digest_of([place, way, sorted(exclude)])[7:23]
    cache = project.home / "cache" / "datasets" / f"{name}-{mark}"
    return Reading(tree, cache, progress=progress)


def _add(project: Project, wanted: Wanted, place: str, reading: Reading) -> Added:
    versions = project.store.read.dataset_versions(wanted.name)
    newest = versions[-1] if versions else None
    before = reading.before()
    if (
        newest is not None
        and before is not None
        and (before.digest, before.ref) == (newest.digest, newest.ref.digest)
        and reading.unchanged()
    ):
        return record(project, newest, wanted) if wanted.label else Added(version=newest, new=False)
    blobs = project.blobs
    reference = wanted.keep == "reference"
    if reference:
        project.refuse_home(Path(place))  # it changes with every command
    taking = HashingIntake() if reference else intake(blobs, link=wanted.keep == "link")
    recorded = before is not None and any(v.ref.digest == before.ref for v in versions)
    believed = None if reference or recorded else _is_there(project)
    digest, size = reading.take(wanted.name, taking, blobs, project.home / "cache",
                                believed=believed)  # fmt: skip
    kept = ArtifactRef(digest=digest, size=size, format=reading.kind, type=PATH)
    ref = _reference(project, wanted, place, kept) if reference else kept
    version = DatasetVersion(
        dataset=wanted.name,
        digest=digest,
        ref=ref,
        created=time.time(),
        files=reading.files,
        size=reading.size,
        origin=origin_of(project, place),
        message=wanted.message,
    )
    added = record(project, version, wanted)
    reading.remember(digest, added.version.ref.digest)
    return msgspec.structs.replace(added, read=reading.read, read_size=reading.read_size)


def _reference(project: Project, wanted: Wanted, place: str, kept: ArtifactRef) -> ArtifactRef:
    where = Reference(
        exclude=tuple(sorted(wanted.exclude)),
        kind=kept.format,
        manifest=kept.digest,
        name=wanted.name,
        place=place,
    )
    return store_reference(where, project.blobs, PATH)


def record(project: Project, version: DatasetVersion, wanted: Wanted) -> Added:
    """Put a version on record, unless the newest one has the same content.

    Where that is so, but it is kept in another way now or described by another label, the newest
    one is changed. Raises MainspringError where no table has the label's column.
    """
    made = _described(project, version, wanted)
    with project.store.write() as tx:
        newest = tx.newest_dataset_version(version.dataset)
        if newest is None or newest.digest != version.digest:
            return Added(version=tx.add_dataset_version(made), new=True)
        changed = msgspec.structs.replace(
            newest, ref=made.ref, rows=made.rows, labelled=made.labelled, profile=made.profile
        )
        if changed != newest:
            tx.change_dataset_version(changed)
        return Added(version=changed, new=False)


def _described(project: Project, version: DatasetVersion, wanted: Wanted) -> DatasetVersion:
    """The version with what is known of its content."""
    versions = project.store.read.dataset_versions(version.dataset)
    newest = versions[-1] if versions else None
    before = newest and newest.profile and project.blobs.read(newest.profile)
    label = msgspec.json.decode(before, type=Profile).label if before else None
    if newest is not None and newest.digest == version.digest and wanted.label in (None, label):
        return msgspec.structs.replace(
            version, rows=newest.rows, labelled=newest.labelled, profile=newest.profile
        )
    if not wanted.profile:
        return version
    content = Content(version.ref, project.blobs)
    made = profile(content, wanted.label or label, strict=wanted.label is not None)
    return msgspec.structs.replace(
        version, rows=made.rows, labelled=made.labelled, profile=store(made, project.blobs)
    )


def origin_of(project: Project, place: str) -> str:
    """A place on this machine as it is recorded: relative to the project, if it lies in it."""
    root = os.path.realpath(project.root)
    return os.path.relpath(place, root) if place.startswith(root + os.sep) else place


def _is_there(project: Project) -> Believed:
    """Whether content that was stored once still is: it may have been deleted with its version."""
    blobs = project.blobs
    if isinstance(blobs, LocalBlobs):
        return lambda digest, size: blobs.place_for("blake3:" + digest.hex(), size) is None
    return lambda digest, size: blobs.intact("blake3:" + digest.hex(), size)
