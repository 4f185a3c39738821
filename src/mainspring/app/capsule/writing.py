"""The verb `export`: a run as one file that others can check, read, import and run again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring import __version__
from mainspring.app.artifacts import check_free, settle
from mainspring.app.capsule import packing
from mainspring.app.capsule.card import card, readme
from mainspring.app.capsule.collecting import metric_lines, past_of
from mainspring.app.capsule.crate import Telling, crate
from mainspring.app.capsule.provenance import statement
from mainspring.app.capsule.views import ExportView, LeftOutView
from mainspring.app.project import Project
from mainspring.app.running import load_spec
from mainspring.definition import yaml_writer
from mainspring.records.canonical import canonical
from mainspring.records.capsule import Capsule, PackedFile, Past
from mainspring.records.environments import decode
from mainspring.records.errors import ConflictError, MainspringError
from mainspring.records.runs import Run
from mainspring.records.source import Manifest
from mainspring.records.spec import PipelineSpec
from mainspring.records.status import RUN_ENDED
from mainspring.storage import signing
from mainspring.storage.archive import PIECE, ArchiveWriter
from mainspring.storage.source import load_manifest
from mainspring.storage.sums import Sums

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PROGRAM = f"mainspring {__version__}"


def export(
    project: Project,
    run: Run,
    target: Path,
    *,
    key: Ed25519PrivateKey | None,
    values: bool = True,
    data: bool = True,
    force: bool = False,
) -> ExportView:
    """Write the capsule of a run, whole or not at all; the same run makes the same bytes.

    Raises ConflictError for a run that has not ended, and when something is there (unless
    `force`); CapsuleError for one whose steps are not in its source.
    """
    if run.status not in RUN_ENDED:
        raise ConflictError(
            f"run {run.id} is {run.status.value}: what it will come to is not known yet",
            hint=f"`mainspring resume {run.id}` ends it, or `mainspring cancel {run.id}`",
        )
    check_free(target, force=force)
    if target.is_dir() and not target.is_symlink():
        raise ConflictError(f"{target} is a directory", hint="give the name of a file")
    writing = _Writing(project, run, key, values=values, data=data)

    def make(scratch: Path) -> Path:
        made = scratch / "capsule"
        with made.open("wb") as stream:
            writing.write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        return made

    settle(target, make)
    return ExportView(
        path=str(target),
        run=run.id,
        size=target.stat().st_size,
        files=len(writing.files),
        signer=signing.key_id(key.public_key()) if key is not None else None,
        left_out=[
            LeftOutView(digest=found.digest, size=found.size, why=found.why)
            for found in writing.parcel.left_out.values()
        ],
    )


class _Writing:
    """One capsule being written."""

    def __init__(
        self,
        project: Project,
        run: Run,
        key: Ed25519PrivateKey | None,
        *,
        values: bool,
        data: bool,
    ) -> None:
        self._project = project
        self._key = key
        self._data = data
        self.past: Past = past_of(project, run)
        self.spec: PipelineSpec = load_spec(project, run)
        self.metrics = project.store.read.metrics(run.id)
        self.manifest: Manifest = load_manifest(run.snapshot, project.blobs)
        packing.check_code(self.spec, self.manifest)
        self.parcel = packing.Parcel(project, values=values)
        self.files: dict[str, PackedFile] = {}
        self._fill(run)

    def _fill(self, run: Run) -> None:
        read, parcel = self._project.store.read, self.parcel
        size = self._project.blobs.path(run.snapshot).stat().st_size
        parcel.add_manifest(run.snapshot, self.manifest, size)
        if run.environment is not None:
            found = decode(self._project.blobs.read(run.environment))
            parcel.add_environment(run.environment, found)
        parcel.add_data(packing.SPEC, read.spec(run.spec))
        parcel.add_data(packing.WORKFLOW, yaml_writer.dump(self.spec).encode())
        parcel.add_data(packing.README, readme(self.past, PROGRAM).encode())
        parcel.add_data(packing.CARD, self._card())
        parcel.add_data(packing.METRICS, b"".join(metric_lines(read, run.id)))
        parcel.add_artifacts(self.past)
        parcel.add_data_of(self.past, values=self._data)

    def _card(self) -> bytes:
        own = [file for file in self.manifest.files if file.path == packing.CARD]
        if own:
            return self._project.blobs.read(own[0].digest)
        return card(self.past, self.spec, self.metrics).encode()

    def write(self, stream: Any) -> None:
        """Write all of it: first what is in it, then what speaks of that."""
        archive = ArchiveWriter(stream)
        with Sums() as sums:
            for path in sorted(self.parcel.items):
                self._add(archive, sums, self.parcel.items[path])
            self._add_data(archive, sums, packing.CRATE, self._crate())
            self._add_data(archive, sums, packing.CAPSULE, self._capsule())
            self._seal(archive, sums)
        archive.close()

    def _add(self, archive: ArchiveWriter, sums: Sums, item: packing.Item) -> None:
        count = archive.add(item.path, item.size, self._pieces(item), sums.update)
        if count != item.size:
            raise MainspringError(f"{item.path} has {count:,} bytes where {item.size:,} were due")
        self.files[item.path] = PackedFile(
            path=item.path, size=count, sha256=sums.finish(), blake3=item.digest
        )

    def _add_data(self, archive: ArchiveWriter, sums: Sums, path: str, data: bytes) -> None:
        self.parcel.add_data(path, data)
        self._add(archive, sums, self.parcel.items[path])

    def _pieces(self, item: packing.Item) -> Iterator[bytes]:
        if item.data is not None:
            yield item.data
            return
        if item.size <= PIECE:
            yield self._project.blobs.read(item.digest)
            return
        with self._project.blobs.path(item.digest).open("rb", buffering=0) as file:
            while piece := file.read(PIECE):
                yield piece

    def _crate(self) -> bytes:
        places = {
            item.digest: path
            for path, item in self.parcel.items.items()
            if path not in packing.RESERVED
        }
        told = Telling(
            past=self.past,
            spec=self.spec,
            metrics=self.metrics,
            files=self.files,
            places=places,
            program=PROGRAM,
        )
        return crate(told)

    def _capsule(self) -> bytes:
        made = Capsule(
            past=self.past,
            files=tuple(self.files[path] for path in sorted(self.files)),
            left_out=tuple(self.parcel.left_out.values()),
            program=PROGRAM,
        )
        return canonical(made)

    def _seal(self, archive: ArchiveWriter, sums: Sums) -> None:
        body = statement(self.past, self.files, self.parcel.left_out.values(), PROGRAM)
        sealed = signing.envelope(body, self._key)
        self._add_data(archive, sums, packing.SEAL, msgspec.json.encode(sealed))
        if self._key is not None:
            pem = signing.public_pem(self._key.public_key())
            self._add_data(archive, sums, packing.SIGNER, pem)
