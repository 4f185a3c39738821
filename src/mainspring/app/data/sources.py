"""Data that comes from elsewhere: the answer to a query becomes a version."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from mainspring.app.data.adding import PATH, Added, Wanted, record
from mainspring.app.occupancy import in_use
from mainspring.app.project import Project
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.canonical import canonical
from mainspring.records.datasets import DatasetVersion, check_name
from mainspring.storage.folders.manifest import FileEntry


def add_query(project: Project, wanted: Wanted, source: str, query: str) -> Added:
    """Make the answer to a query a version, as a Parquet file. Raises MainspringError."""
    from mainspring.storage.sqlsource import snapshot

    check_name(wanted.name)
    with (
        in_use(project.home),
        tempfile.TemporaryDirectory(dir=project.home / "cache", prefix="query-") as scratch,
    ):
        project.claim()
        target = Path(scratch) / f"{wanted.name}.parquet"
        _, where = snapshot(source, query, target)
        return _add_file(project, wanted, target, f"{where}: {' '.join(query.split())}")


def _add_file(project: Project, wanted: Wanted, path: Path, origin: str) -> Added:
    digest, size = project.blobs.put_file(path)
    entry = FileEntry(name=path.name, digest=digest, size=size)
    manifest, length = project.blobs.put(canonical(entry))
    version = DatasetVersion(
        dataset=wanted.name,
        digest=manifest,
        ref=ArtifactRef(digest=manifest, size=length, format="file", type=PATH),
        created=time.time(),
        files=1,
        size=size,
        origin=origin,
        message=wanted.message,
    )
    return record(project, version, wanted)
