"""The verb `gc`: find what nothing refers to any more, and delete it."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mainspring.app.occupancy import alone
from mainspring.app.project import Project
from mainspring.app.views import Waste, WasteView
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import BlobError, ConflictError, MainspringError, SerializationError
from mainspring.records.runs import Run
from mainspring.records.status import RUN_ENDED
from mainspring.records.stores import RunFilter
from mainspring.storage.serializers import registry

GRACE = 3600.0
"""Seconds for which a blob that no record names is left alone: somebody may be about to name it
(a Python process that prepares a run holds no lock)."""

_ALL = 1 << 62


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
    with alone(project.home):
        _refuse_engines(project)
        project.claim()
        doomed = _doomed_runs(project, policy)
        items = [_of_run(run) for run in doomed]
        keep = Kept(project, {run.id for run in doomed})
        items += keep.waste(grace)
        if not dry_run:
            _delete(project, doomed, items)
    return WasteView(deleted=not dry_run, items=items, size=sum(item.size for item in items))


def _refuse_engines(project: Project) -> None:
    if project.leases.living():
        raise ConflictError(
            "an engine is at work in this project",
            hint="wait until its runs have ended; `mainspring runs --status running`",
        )


def _doomed_runs(project: Project, policy: Policy) -> list[Run]:
    if policy.older_than is None:
        return []
    limit = time.time() - policy.older_than
    seen: Counter[str] = Counter()
    found: list[Run] = []
    sources: set[str] = set()
    for run in project.store.read.runs(RunFilter(limit=_ALL)):
        seen[run.pipeline] += 1
        old = run.ended is not None and run.ended < limit and run.status in RUN_ENDED
        if old and seen[run.pipeline] > policy.keep:
            found.append(run)
        else:
            tasks = project.store.read.tasks(run.id)
            sources.update(task.source.partition("/")[0] for task in tasks if task.source)
    # What a run that stays has reused must stay reusable.
    return [run for run in found if run.id not in sources]


def _of_run(run: Run) -> Waste:
    return Waste(kind="run", name=run.id, size=0, reason=f"{run.pipeline}, {run.status.value}")


class Kept:
    """What the runs that stay refer to; everything else of the home is waste."""

    def __init__(self, project: Project, doomed: set[str]) -> None:
        self.project = project
        self.snapshots: set[str] = set()
        self.attempts: dict[str, bool] = {}
        self.blobs: set[str] = set()
        self.directories: set[str] = set()
        read = project.store.read
        pipelines: set[str] = set()
        for run in read.runs(RunFilter(limit=_ALL)):
            if run.id in doomed:
                continue
            self._keep_run(run)
            if run.status not in RUN_ENDED or run.pipeline not in pipelines:
                self.directories.add(run.snapshot.partition(":")[2])
                pipelines.add(run.pipeline)
        if not doomed:
            self.blobs |= read.referenced()
        for snapshot in self.snapshots:
            self._keep_source(snapshot)

    def _keep_run(self, run: Run) -> None:
        read = self.project.store.read
        self.snapshots.add(run.snapshot)
        for task in read.tasks(run.id):
            for attempt in read.attempts(task.id) if task.attempts else ():
                self.attempts[attempt.id] = attempt.ended is not None
        for _, _, ref in read.artifacts(run.id):
            self._keep(ref)
        self.blobs.update(medium.digest for medium in read.media(run.id))

    def _keep(self, ref: ArtifactRef) -> None:
        if ref.digest in self.blobs and ref.format not in ("list", "dict", "file", "directory"):
            return
        self.blobs.add(ref.digest)
        try:
            self.blobs.update(registry.references(ref, self.project.blobs))
        except (BlobError, SerializationError):
            return  # the blob itself is gone or damaged: it is not reused, and names nothing

    def _keep_source(self, snapshot: str) -> None:
        from mainspring.storage.source import load_manifest

        self.blobs.add(snapshot)
        try:
            manifest = load_manifest(snapshot, self.project.blobs)
        except MainspringError:
            return
        self.blobs.update(file.digest for file in manifest.files)

    def waste(self, grace: float) -> list[Waste]:
        """Return everything else, in the order in which it is to be deleted."""
        young = time.time() - grace
        return [*self._snapshots(young), *self._attempts(young), *self._blobs(young)]

    def _blobs(self, young: float) -> Iterator[Waste]:
        blobs = self.project.blobs
        for digest, size, since in sorted(blobs.listing()):
            if digest not in self.blobs and since < young:
                yield Waste(kind="blob", name=digest, size=size, reason="nothing refers to it")
        for entry in _entries(self.project.home / "blobs" / "corrupt"):
            yield self._file("file", entry, "damaged")

    def _snapshots(self, young: float) -> Iterator[Waste]:
        """Directories of source: they are made again from blobs when a run needs them."""
        for entry in _entries(self.project.home / "snapshots"):
            if entry.name not in self.directories and _changed(entry) < young:
                yield self._file("snapshot", entry, "not the newest source")

    def _attempts(self, young: float) -> Iterator[Waste]:
        for entry in _entries(self.project.home / "attempts"):
            settled = self.attempts.get(entry.name)
            if settled is None and _changed(entry) < young:
                yield self._file("attempt", entry, "no run has it")
            elif settled:
                yield from self._leftovers(entry)

    def _leftovers(self, directory: Path) -> Iterator[Waste]:
        for name in ("work", "lock"):
            entry = directory / name
            if os.path.lexists(entry):
                yield self._file("leftover", entry, "its attempt has ended")

    def _file(self, kind: str, entry: Path, reason: str) -> Waste:
        name = entry.relative_to(self.project.home).as_posix()
        return Waste(kind=kind, name=name, size=_size(entry), reason=reason)


def _delete(project: Project, doomed: list[Run], items: list[Waste]) -> None:
    """Records first: a record whose blobs are gone would be worse than blobs without a record."""
    for run in doomed:
        with project.store.write([run.id]) as tx:
            tx.delete_run(run.id)
    for item in items:
        if item.kind == "blob":
            project.blobs.delete(item.name)
        elif item.kind != "run":
            _remove(project.home / item.name)
    project.blobs.sweep()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        # Snapshots are read-only; their directories have to be writable to be emptied.
        for directory, _, _ in os.walk(path):
            os.chmod(directory, 0o700)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


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
