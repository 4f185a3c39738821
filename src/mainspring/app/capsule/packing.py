"""Which files a capsule has: their names, and where what they hold comes from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import msgspec

from mainspring.app.artifacts import SUFFIXES
from mainspring.app.planning import work_of
from mainspring.app.project import Project
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.canonical import digest_bytes
from mainspring.records.capsule import LeftOut, Past
from mainspring.records.environments import Environment
from mainspring.records.errors import BlobError, CapsuleError, SerializationError
from mainspring.records.notebook import is_notebook
from mainspring.records.source import Manifest
from mainspring.records.spec import CommandNode, PipelineSpec, StepNode
from mainspring.storage.archive import name_offence
from mainspring.storage.serializers import registry

LARGE = 1 << 20
"""Bytes from which a value is left out where values are not wanted."""

SOURCE, ARTIFACTS, BLOBS, DATA = "source/", "artifacts/", "blobs/", "data/"
MANIFEST, SPEC, WORKFLOW = "source.json", "pipeline.json", "pipeline.yaml"
README, CARD, METRICS = "README.md", "MODEL_CARD.md", "metrics.jsonl"
CRATE, ENVIRONMENT, LOCKS = "ro-crate-metadata.json", "environment.json", "environment/"
CAPSULE, SEAL, SIGNER = "capsule.json", "provenance.dsse.json", "signer.pem"
RESERVED = frozenset(
    (MANIFEST, SPEC, ENVIRONMENT, WORKFLOW, README, CARD, METRICS, CRATE, CAPSULE, SEAL, SIGNER)
)

_ODD = re.compile(r"[^A-Za-z0-9._-]+")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A file to be: bytes that are given, or a blob of this store."""

    path: str
    digest: str
    size: int
    data: bytes | None = None


class Parcel:
    """The files of a capsule, by name; equal contents are in it once."""

    def __init__(self, project: Project, *, values: bool) -> None:
        """Without `values`, large ones are left out; their digests stay."""
        self._project = project
        self._values = values
        self.items: dict[str, Item] = {}
        self.left_out: dict[str, LeftOut] = {}
        self._held: dict[str, str] = {}
        self._files = {_folded(name) for name in RESERVED}
        self._folders: set[str] = set()

    def add_data(self, path: str, data: bytes) -> None:
        """Add a file that is made here."""
        digest = digest_bytes(data)
        self.items[path] = Item(path=path, digest=digest, size=len(data), data=data)
        self._held.setdefault(digest, path)

    def add_blob(self, path: str, digest: str, size: int) -> None:
        """Add a blob of the store, unless it is in already, under this name if it can be."""
        if digest in self._held:
            return
        name = self._free(path, digest)
        self.items[name] = Item(path=name, digest=digest, size=size)
        self._held[digest] = name

    def add_manifest(self, snapshot: str, manifest: Manifest, size: int) -> None:
        """Add the source: the manifest, and every file under its own path where that can be."""
        self.add_blob_as(MANIFEST, snapshot, size)
        for file in manifest.files:
            self.add_blob(SOURCE + file.path, file.digest, file.size)

    def add_blob_as(self, path: str, digest: str, size: int) -> None:
        """Add a blob under just this name."""
        self.items[path] = Item(path=path, digest=digest, size=size)
        self._held[digest] = path

    def add_environment(self, digest: str, environment: Environment) -> None:
        """Add what the run ran in: the record, and the files of its locks."""
        self.add_blob_as(ENVIRONMENT, digest, self._size(digest))
        locks = {"": environment.lock} if environment.lock else {}
        for step, lock in {**locks, **environment.steps}.items():
            folder = f"{LOCKS}{_plain(step)}/" if step else LOCKS
            for name, found in lock.files.items():
                self.add_blob(folder + name, found, self._size(found))

    def _size(self, digest: str) -> int:
        return self._project.blobs.path(digest).stat().st_size

    def add_artifacts(self, past: Past) -> None:
        """Add every output, what it refers to, and the figures and tables that were logged."""
        for task in past.tasks:
            for name, ref in task.outputs.items():
                stem = f"{ARTIFACTS}{_plain(task.path)}/{_plain(name)}"
                self._add_value(stem, ref)
        for medium in past.media:
            folder = f"{ARTIFACTS}{_plain(past.tasks[medium.task].path)}"
            ending = medium.mime.rpartition("/")[2].partition("+")[0]
            path = f"{folder}/{_plain(medium.name)}.{_plain(ending)}"
            self._add_part(path, medium.digest, medium.size)

    def add_data_of(self, past: Past, *, values: bool) -> None:
        """Add the versions of datasets and models that the run's names stood for, or only their
        digests."""
        for name, source in sorted(past.run.sources.items()):
            if not values:
                self._leave_out(
                    source.ref.digest, source.ref.size, "data were to stay where they are"
                )
                continue
            self._add_value(f"{DATA}{_plain(name)}", source.ref)

    def _add_value(self, stem: str, ref: ArtifactRef) -> None:
        if ref.digest in self._held:
            return
        self._add_part(stem + SUFFIXES.get(ref.format, f".{ref.format}"), ref.digest, ref.size)
        if not registry.refers(ref.format):
            return
        try:
            named = dict(_named_parts(self._project, stem, ref))
            inside = sorted(set(registry.references(ref, self._project.blobs)))
        except (BlobError, SerializationError):
            return  # it is gone or damaged, so that nothing inside of it can be named
        for digest in inside:
            path, size = named.get(digest, (f"{BLOBS}{digest[7:]}", -1))
            self._add_part(path, digest, size)

    def _add_part(self, path: str, digest: str, size: int) -> None:
        if digest in self._held or digest in self.left_out:
            return
        try:
            there = self._project.blobs.path(digest).stat().st_size
        except BlobError:
            self._leave_out(digest, max(size, 0), "it was not in the store any more")
            return
        if not self._values and there > LARGE:
            self._leave_out(digest, there, "large values were not wanted")
            return
        self.add_blob(path, digest, there)

    def _leave_out(self, digest: str, size: int, why: str) -> None:
        self.left_out[digest] = LeftOut(digest=digest, size=size, why=why)

    def _free(self, path: str, digest: str) -> str:
        """The path, or where it can't be had (an import would refuse it) one that always can."""
        folded = _folded(path)
        above = set(_above(folded))
        sound = name_offence(path) is None
        if not sound or folded in self._files | self._folders or above & self._files:
            return BLOBS + digest[7:]
        self._files.add(folded)
        self._folders |= above
        return path


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _plain(name: str) -> str:
    """A name in letters that any file system takes."""
    return _ODD.sub("-", name).strip("-.")[:100] or "value"


def _named_parts(
    project: Project, stem: str, ref: ArtifactRef
) -> Iterator[tuple[str, tuple[str, int]]]:
    """What a file or directory consists of, by digest: where in the capsule, and how long."""
    if ref.format not in ("file", "directory"):
        return
    found: Any = msgspec.json.decode(project.blobs.read(ref.digest))
    for entry in [found] if ref.format == "file" else found["files"]:
        yield entry["digest"], (f"{stem}/{entry['name']}", entry["size"])


def check_code(spec: PipelineSpec, manifest: Manifest) -> None:
    """Raise CapsuleError for a step whose code is not in the source."""
    known = {file.path for file in manifest.files}
    known.update(folder for file in manifest.files for folder in _above(file.path))
    for work in work_of(spec):
        for need, places in _needs(work, manifest.roots):
            if not known.intersection(places):
                raise CapsuleError(
                    f"refused: code outside of the source: step {work.name} needs {need}",
                    where=work.where or None,
                    offence="code outside of the source",
                    hint="a capsule holds all code of its steps: define them in the project",
                )


def _needs(
    work: StepNode | CommandNode, roots: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a step is made of, and where in the source that may be."""
    if work.options.environment is not None:
        yield work.options.environment, (work.options.environment.rstrip("/"),)
    if isinstance(work, CommandNode):
        yield from ((path, (path,)) for path in work.files)
        return
    if is_notebook(work.uses):
        yield work.uses, (work.uses,)
        return
    module = work.uses.partition(":")[0]
    stems = [f"{root}/{module.replace('.', '/')}".lstrip("/") for root in roots]
    places = [f"{stem}{ending}" for stem in stems for ending in (".py", "/__init__.py")]
    yield f"the module {module}", tuple(places)
