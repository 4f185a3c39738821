"""The verb `import`: a run of somebody else, checked to the last byte before any of it is kept.

Values are unpacked into a directory beside the store, where all checks are made; then they are
moved, and the run is put on record in one transaction. Who dies before that has left values that no
record names, which `gc` removes, and a directory that the next import removes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from blake3 import blake3

from mainspring.app.capsule import packing
from mainspring.app.capsule.checking import Checks
from mainspring.app.capsule.collecting import past_of
from mainspring.app.capsule.opening import (
    LARGEST_JSON,
    LARGEST_SPEC,
    Opened,
    Trust,
    decoded,
    opened,
)
from mainspring.app.capsule.recording import points_of, record
from mainspring.app.capsule.views import ImportView, LeftOutView
from mainspring.app.project import Project
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.canonical import canonical, digest_bytes
from mainspring.records.capsule import PackedFile, Past
from mainspring.records.environments import Environment
from mainspring.records.errors import (
    BlobError,
    CapsuleError,
    ConflictError,
    NotFoundError,
    SerializationError,
)
from mainspring.records.imports import Import
from mainspring.records.source import Manifest
from mainspring.records.spec import PipelineSpec
from mainspring.storage.archive import Archive, name_offence
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers.safety import Examined
from mainspring.storage.sums import Sums

STAGING = "import-"
HELD = (
    packing.DATA,
    packing.ENVIRONMENT,
    packing.LOCKS,
    packing.SOURCE,
    packing.ARTIFACTS,
    packing.BLOBS,
)


def take(project: Project, path: Path, trust: Trust) -> ImportView:
    """Check a capsule, and put its run on record; one that is here already is left alone.

    Raises CapsuleError for what is wrong with the capsule, ConflictError when another run has
    its run's id.
    """
    project.claim()
    with Archive(path) as archive, _staging(project) as staged:
        found = opened(archive, trust)
        past = found.capsule.past
        taking = _Taking(project, archive, found, staged)
        taking.check_records()
        present = _present(project, past)
        _check_room(project, found)
        taking.unpack()
        taking.check_values(pickle=trust.pickle)
        taking.check_metrics()
        added = _publish(project, staged)
        if not present:
            record(project, found, taking.spec_bytes, taking.metrics(), taking.origin())
        return taking.view(present=present, added=added)


class _Taking:
    """One capsule on its way in."""

    def __init__(
        self, project: Project, archive: Archive, found: Opened, staged: LocalBlobs
    ) -> None:
        self._project = project
        self._archive = archive
        self._found = found
        self._staged = staged
        self._unsafe: set[str] = set()
        self.spec_bytes = archive.read(packing.SPEC, LARGEST_SPEC)
        self.manifest = self._manifest()

    def _manifest(self) -> Manifest:
        data = self._archive.read(packing.MANIFEST, LARGEST_JSON)
        if digest_bytes(data) != self._found.capsule.past.run.snapshot:
            raise self._archive.refusal("wrong digest", packing.MANIFEST)
        return decoded(self._archive, packing.MANIFEST, data, Manifest)

    def check_records(self) -> None:
        """Whether the records can be, as far as that can be told without the values."""
        past = self._found.capsule.past
        if digest_bytes(self.spec_bytes) != past.run.spec:
            raise self._archive.refusal("wrong digest", packing.SPEC)
        spec = decoded(self._archive, packing.SPEC, self.spec_bytes, PipelineSpec)
        checks = Checks(self._archive, past)
        checks.run(spec, self.manifest)
        checks.tasks(spec)

    def unpack(self) -> None:
        """Read every file, check both its digests, and stage what is to be kept."""
        with Sums() as sums:
            for path in sorted(self._found.files):
                file = self._found.files[path]
                kept = path == packing.MANIFEST or path.startswith(HELD)
                made = self._kept(file, sums) if kept else self._read(file, sums)
                if (made, sums.finish()) != (file.blake3, file.sha256):
                    raise self._archive.refusal("wrong digest", path)

    def _kept(self, file: PackedFile, sums: Sums) -> str:
        with self._staged.writer() as writer:
            for piece in self._archive.pieces(file.path, file.size):
                sums.update(piece)
                writer.write(piece)
            return writer.commit()[0]

    def _read(self, file: PackedFile, sums: Sums) -> str:
        hasher = blake3()
        for piece in self._archive.pieces(file.path, file.size):
            sums.update(piece)
            hasher.update(piece)
        return "blake3:" + hasher.hexdigest()

    def check_values(self, *, pickle: bool) -> None:
        """Whether all that the records speak of is there, nothing else is, and nothing in it
        runs code when it is loaded, unless that is allowed."""
        capsule = self._found.capsule
        examined = Examined()
        held = {file.blake3 for path, file in self._found.files.items() if path.startswith(HELD)}
        source = {file.digest for file in self.manifest.files}
        self._refuse("missing file", source - held)
        for task in capsule.past.tasks:
            for name, ref in task.outputs.items():
                self._examine(examined, ref, f"{task.path}.{name}")
        for name, found in capsule.past.run.sources.items():
            self._examine(examined, found.ref, name)
        media = {medium.digest for medium in capsule.past.media}
        outputs = {found.ref.digest for found in capsule.past.run.sources.values()}
        outputs |= {ref.digest for task in capsule.past.tasks for ref in task.outputs.values()}
        wanted = source | media | outputs | examined.needs | self._environment()
        known = held | {found.digest for found in capsule.left_out}
        self._refuse("missing file", wanted - known)
        self._refuse("file that nothing speaks of", held - wanted)
        self._unsafe = examined.unsafe
        if self._unsafe and not pickle:
            raise CapsuleError(
                f"refused: pickle: values in the format {', '.join(sorted(self._unsafe))}, which "
                "run code of whoever made them when they are loaded",
                where=str(self._archive.path),
                offence="pickle",
                hint="if you trust who made it with that: --allow-pickle. Nothing is loaded before "
                "a step takes such a value",
            )

    def _environment(self) -> set[str]:
        """The digests of what the run ran in; the files of a lock have sound names."""
        digest = self._found.capsule.past.run.environment
        if digest is None:
            return set()
        data = self._archive.read(packing.ENVIRONMENT, LARGEST_SPEC)
        if digest_bytes(data) != digest:
            raise self._archive.refusal("wrong digest", packing.ENVIRONMENT)
        found = decoded(self._archive, packing.ENVIRONMENT, data, Environment)
        for lock in (*([found.lock] if found.lock else []), *found.steps.values()):
            for name in (lock.main, *lock.files):
                offence = name_offence(name)
                if offence:
                    raise self._archive.refusal(offence, f"{name[:200]!a} of a lock")
            if lock.main not in lock.files:
                raise self._archive.refusal("records that do not agree", "a lock without its file")
        return {digest, *found.blobs()}

    def metrics(self) -> Iterator[bytes]:
        """The metrics, in pieces."""
        if packing.METRICS not in self._found.files:
            raise self._archive.refusal("missing file", packing.METRICS)
        return self._archive.pieces(packing.METRICS, self._found.files[packing.METRICS].size)

    def check_metrics(self) -> None:
        """Whether every line of them can be read."""
        for _ in points_of(self._found.capsule.past, self.metrics()):
            pass

    def _examine(self, examined: Examined, ref: ArtifactRef, name: str) -> None:
        one = Examined()
        try:
            one.add(ref, self._staged)
        except (SerializationError, RecursionError, BlobError) as error:
            raise self._archive.refusal("damaged value", f"{name}: {error}") from None
        if one.unsafe and ref.data_only:
            raise self._archive.refusal("pickle that is called data", name)
        examined.unsafe |= one.unsafe
        examined.needs |= one.needs

    def _refuse(self, offence: str, digests: Iterable[str]) -> None:
        found = sorted(digests)
        if found:
            paths = {file.blake3: path for path, file in self._found.files.items()}
            raise self._archive.refusal(offence, paths.get(found[0], found[0]))

    def origin(self) -> Import:
        """The note of where the run came from."""
        signer = self._found.signer
        return Import(
            run=self._found.capsule.past.run.id,
            capsule=self._found.digest,
            signer=signer.id if signer else "",
            signer_name=signer.name if signer else "",
            pickles=bool(self._unsafe),
            at=time.time(),
        )

    def view(self, *, present: bool, added: int) -> ImportView:
        """What became of it."""
        capsule, signer = self._found.capsule, self._found.signer
        run = capsule.past.run
        return ImportView(
            run=run.id,
            pipeline=run.pipeline,
            status=run.status.value,
            tasks=len(capsule.past.tasks),
            present=present,
            values=added,
            signer=signer.id if signer else None,
            signer_name=signer.name or None if signer else None,
            pickles=sorted(self._unsafe),
            left_out=[
                LeftOutView(digest=found.digest, size=found.size, why=found.why)
                for found in capsule.left_out
            ],
        )


def _present(project: Project, past: Past) -> bool:
    """Whether the run is here already. Raises ConflictError when another one has its id."""
    try:
        here = project.store.read.run(past.run.id)
    except NotFoundError:
        return False
    known = past_of(project, here)
    if canonical((known.run, known.tasks)) == canonical((past.run, past.tasks)):
        return True
    raise ConflictError(
        f"there is a run {past.run.id} here already, and it is not the same",
        hint="it went on, here or where the capsule was made: import into another project, "
        "and compare",
    )


def _check_room(project: Project, found: Opened) -> None:
    needed = sum(file.size for file in found.files.values())
    free = shutil.disk_usage(project.home).free
    if needed > free:
        raise ConflictError(
            f"the capsule unpacks to {needed:,} bytes, and the disk has {free:,}",
            where=str(project.home),
            hint="free some space; `mainspring gc` deletes what no run refers to",
        )


def _publish(project: Project, staged: LocalBlobs) -> int:
    """Move what was staged to the store; return how many values that did not have."""
    blobs = project.blobs
    added = 0
    for entry in staged.listing():
        if blobs.has(entry.digest):
            continue
        added += 1
        if isinstance(blobs, LocalBlobs):
            blobs.take(staged, entry.digest)
        else:
            blobs.put_file(staged.path(entry.digest))
    return added


@contextmanager
def _staging(project: Project) -> Generator[LocalBlobs]:
    """A place for values that are not trusted yet, gone in the end; and what imports that died
    have left is removed."""
    cache = project.home / "cache"
    for left in cache.glob(f"{STAGING}*"):
        _remove_dead(left)
    place = Path(tempfile.mkdtemp(prefix=STAGING, dir=cache))
    lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield LocalBlobs(place / "blobs")
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(lock)


def _remove_dead(place: Path) -> None:
    """Remove the staging of an import that has died: the kernel has dropped its lock."""
    with suppress(OSError):
        lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(place, ignore_errors=True)
        finally:
            os.close(lock)
