"""The verb `gc`: find what nothing refers to any more, and delete it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from mainspring.app.occupancy import alone
from mainspring.app.project import Project
from mainspring.app.views import Waste, WasteView
from mainspring.execution.attempt_files import AttemptFiles
from mainspring.execution.containers import clear
from mainspring.execution.environments import FOLDER, Environments
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.environments import decode
from mainspring.records.errors import BlobError, ConflictError, MainspringError, SerializationError
from mainspring.records.stores import Mentioned
from mainspring.storage.catalogue import Catalogue, Item
from mainspring.storage.serializers import registry
from mainspring.storage.source import load_manifest

GRACE = 3600.0
"""Seconds for which a blob that no record names is left alone: somebody may be about to name it
(a Python process that prepares a run holds no lock)."""

LISTED = 1000
"""How many of the things that go are listed; all are counted."""

PART = 2000
"""Numbers of records that are read at once."""

AT_ONCE = 500
"""Blobs or directories that are compared, or deleted, at once."""

_RUNS_AT_ONCE = 50
_ENVIRONMENT = "(environment)"  # what holds other blobs, though it is no artifact


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Which ended runs go: older than so many seconds, but never the newest `keep` of a pipeline.

    Without `older_than` no run goes.
    """

    older_than: float | None = None
    keep: int = 1


def collect(project: Project, policy: Policy, *, dry_run: bool, grace: float = GRACE) -> WasteView:
    """Delete what is not needed (or, `dry_run`, only list it); return what that was.

    Raises ConflictError while an engine is alive.
    """
    with alone(project.home), Catalogue() as known:
        sweep = Sweep(project, known)
        sweep.refuse_engines()
        project.claim()
        sweep.choose_runs(policy)
        if not dry_run:
            sweep.delete_runs()
        sweep.catch_up()
        sweep.find_waste(time.time() - grace)
        if not dry_run:
            sweep.delete()
        return _view(known, sweep.left, deleted=not dry_run)


def _view(known: Catalogue, left: list[str], *, deleted: bool) -> WasteView:
    count, size = known.totals()
    items = [
        Waste(kind=kind, name=name, size=length, reason=reason)
        for kind, name, length, reason in next(known.waste(LISTED), list[Item]())
    ]
    cut = ["items"] if count > len(items) else []
    return WasteView(deleted=deleted, items=items, count=count, size=size, cut=cut, left=left)


class Sweep:
    """One `gc`. Records and files are read in parts, so that it needs no more memory for many."""

    def __init__(self, project: Project, known: Catalogue) -> None:
        self.project = project
        self.known = known
        self._seen = 0
        self._version = 0
        self._sources: set[str] = set()
        self._built = Environments(project.home, project.blobs.read)
        self._environments: set[str] = set()
        self._held: set[str] = set()
        self.left: list[str] = []

    def refuse_engines(self) -> None:
        """Raise ConflictError if somebody is at work, here or elsewhere."""
        if self.project.leases.living():
            raise ConflictError(
                "an engine is at work in this project",
                hint="wait until its runs have ended; `mainspring runs --status running`",
            )

    # Which runs stay.

    def choose_runs(self, policy: Policy) -> None:
        """Give up the runs that the policy lets go."""
        if policy.older_than is None:
            return
        for part in self._parts(0, self.project.store.read.extent()):
            self.known.add_runs(part.runs)
            self.known.add_sources(part.sources)
        self.known.doom(time.time() - policy.older_than, policy.keep)
        self.known.add_waste(
            ("run", run, 0, f"{pipeline}, {status}")
            for run, pipeline, status in self.known.doomed()
        )

    def delete_runs(self) -> None:
        """Delete the records of runs that go, before anything that they name: a record whose
        blobs are gone would be worse than blobs without a record."""
        for runs in batched((run for run, _, _ in self.known.doomed()), _RUNS_AT_ONCE):
            self.refuse_engines()
            with self.project.store.write(runs) as tx:
                for run in runs:
                    tx.delete_run(run)

    # What they need.

    def catch_up(self) -> None:
        """Enter what the records that came since the last call speak of: all, the first time."""
        self._version = self.project.store.read.version()
        last = self.project.store.read.extent()
        # Again a little of what was seen: on a server a transaction may commit late.
        for part in self._parts(max(0, self._seen - PART), last):
            self.known.add_runs(part.runs)
            self.known.add_mentioned(part.blobs, registry.refers)
            made = [(r.id, r.environment, _ENVIRONMENT, 0) for r in part.runs if r.environment]
            self.known.add_mentioned(made, lambda _: True)
            self.known.add_attempts(part.attempts)
        self._seen = last
        for held in batched(self.known.take_holders(), AT_ONCE):
            for digest, form, size in held:
                self._keep_inside(ArtifactRef(digest=digest, format=form, size=size))
        for snapshot in self.known.snapshots():
            self._keep_source(snapshot)

    def _parts(self, first: int, last: int) -> Iterator[Mentioned]:
        for start in range(first, last, PART):
            yield self.project.store.read.mentioned(start, min(last, start + PART))

    def _keep_inside(self, ref: ArtifactRef) -> None:
        # If the blob itself is gone or damaged it is not reused, and names nothing.
        with suppress(BlobError, SerializationError, msgspec.DecodeError):
            if ref.format == _ENVIRONMENT:
                found = decode(self.project.blobs.read(ref.digest))
                self.known.add_blobs(found.blobs())
                locks = [*([found.lock] if found.lock else []), *found.steps.values()]
                self._environments |= {self._built.place(lock).name for lock in locks}
                return
            inside = registry.references(ref, self.project.blobs)
            for digests in batched(inside, AT_ONCE):
                self.known.add_blobs(digests)

    def _keep_source(self, snapshot: str) -> None:
        if snapshot in self._sources:
            return
        self._sources.add(snapshot)
        self.known.add_blobs([snapshot])
        with suppress(MainspringError):
            manifest = load_manifest(snapshot, self.project.blobs)
            self.known.add_blobs(file.digest for file in manifest.files)

    # What nothing needs.

    def find_waste(self, young: float) -> None:
        """Enter everything else, unless it is newer than that time."""
        for items in (
            self._snapshots(young), self._copies(young), self._attempts(young),
            self._unused(young), self._blobs(young),
        ):  # fmt: skip
            for part in batched(items, AT_ONCE):
                self.known.add_waste(part)

    def _blobs(self, young: float) -> Iterator[Item]:
        for part in batched(self.project.blobs.listing(), AT_ONCE):
            unknown = self.known.unknown([blob.digest for blob in part])
            for digest, size, since in sorted(part):
                if digest in unknown and since < young:
                    yield "blob", digest, size, "nothing refers to it"
        folder = self.project.home / "blobs" / "corrupt"
        for part in _names(folder):
            for name in part:
                yield self._file("file", folder / name, "damaged")

    def _snapshots(self, young: float) -> Iterator[Item]:
        """Directories of source: they are made again from blobs when a run needs them."""
        wanted = {snapshot.partition(":")[2] for snapshot in self.known.directories()}
        folder = self.project.home / "snapshots"
        for part in _names(folder):
            for name in part:
                if name not in wanted and _changed(folder / name) < young:
                    yield self._file("snapshot", folder / name, "not the newest source")

    def _unused(self, young: float) -> Iterator[Item]:
        """Built environments that no run is in, and what is left of builders that were killed."""
        folder = self.project.home / FOLDER
        for part in _names(folder):
            for name in part:
                place = folder / name
                wanted = name in self._environments or name.endswith(".lock")
                if not wanted and _changed(place) < young:
                    yield self._file("environment", place, "no run refers to it")

    def _copies(self, young: float) -> Iterator[Item]:
        """What `Dataset(...).path()` has copied: it is copied again when it is asked for."""
        folder = self.project.home / "cache" / "sources"
        for part in _names(folder):
            for name in part:
                if _changed(folder / name) < young:
                    yield self._file("copy", folder / name, "a copy of stored data")

    def _attempts(self, young: float) -> Iterator[Item]:
        folder = self.project.home / "attempts"
        for part in _names(folder):
            settled = self.known.attempts(part)
            for name in part:
                entry = os.path.join(folder, name)
                if settled.get(name):
                    yield from self._leftovers(entry)
                elif name not in settled and _changed(folder / name) < young:
                    if os.path.lexists(os.path.join(entry, "container")):
                        container = folder / name / "container"
                        yield self._file("container", container, "no run has its attempt")
                    yield self._file("attempt", folder / name, "no run has it")

    def _leftovers(self, directory: str) -> Iterator[Item]:
        for name, kind in (("container", "container"), ("work", "leftover"), ("lock", "leftover")):
            entry = os.path.join(directory, name)
            if os.path.lexists(entry):
                yield self._file(kind, Path(entry), "its attempt has ended")

    def _file(self, kind: str, entry: Path, reason: str) -> Item:
        name = entry.relative_to(self.project.home).as_posix()
        return kind, name, _size(entry), reason

    # And away with it.

    def delete(self) -> None:
        """Delete what was found, in parts. Before each, look whether somebody has begun to work
        or has named some of it: machines with homes of their own share records and blobs."""
        blobs = self.project.blobs
        parts = self.known.waste(AT_ONCE)
        while True:
            self.refuse_engines()
            if self.project.store.read.version() != self._version:
                self.catch_up()
            part = next(parts, None)
            if part is None:
                break
            for kind, name, _, _ in part:
                if kind == "blob":
                    blobs.delete(name)
                elif kind == "container":
                    self._clear(name)
                elif kind != "run" and name not in self._held:
                    _remove(self.project.home / name)
        blobs.sweep()

    def _clear(self, name: str) -> None:
        attempt = os.path.dirname(name)
        if not clear(AttemptFiles(self.project.home, os.path.basename(attempt))):
            self.left.append(name)
            self._held.add(attempt)  # it says which container
            self.known.add_blobs([name, attempt])


T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of `size`, the last one shorter."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        # Snapshots are read-only; their directories have to be writable to be emptied.
        for directory, _, _ in os.walk(path):
            os.chmod(directory, 0o700)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _names(directory: Path) -> Iterator[list[str]]:
    """What is in the directory, in parts, each of them sorted."""
    if directory.is_dir():
        with os.scandir(directory) as found:
            for part in batched((entry.name for entry in found), AT_ONCE):
                yield sorted(part)


def _changed(path: Path) -> float:
    """When the file got its place: ctime, since a blob's mtime is a seal."""
    try:
        return path.lstat().st_ctime
    except FileNotFoundError:
        return time.time()


def _size(path: Path) -> int:
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size
    return sum(
        os.lstat(os.path.join(directory, name)).st_size
        for directory, _, names in os.walk(path)
        for name in names
    )
