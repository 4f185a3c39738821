"""The verbs `data list`, `log`, `show`, `pin` and `unpin`."""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec

from mainspring.app.data.views import DatasetView, FileView, version_view
from mainspring.app.project import Project
from mainspring.records.datasets import DatasetVersion, split_name
from mainspring.storage.folders.content import Content

LISTED = 20
"""Files that `show` lists unless it is asked for more."""


def find_version(project: Project, text: str) -> DatasetVersion:
    """The version that `NAME` or `NAME@v2` names. Raises MainspringError, NotFoundError."""
    name, wanted = split_name(text)
    return project.store.read.dataset_version(name, wanted)


def history(project: Project, name: str) -> list[DatasetVersion]:
    """All versions, the newest first. Raises MainspringError, NotFoundError."""
    name, _ = split_name(name)
    newest = project.store.read.dataset_version(name)
    return project.store.read.dataset_versions(newest.dataset)[::-1]


def show(project: Project, version: DatasetVersion, limit: int = LISTED) -> DatasetView:
    """A version with its first files and its profile. Raises BlobError."""
    content = Content(version.ref, project.blobs)
    listed = [
        FileView(path=entry.name, size=entry.size, digest=entry.digest)
        for entry in islice(content.files(), limit)
    ]
    return DatasetView(
        version=version_view(version),
        listed=listed,
        profile=profile_of(project, version),
        cut=["listed"] if version.files > len(listed) else [],
    )


def profile_of(project: Project, version: DatasetVersion) -> dict[str, Any] | None:
    """The profile that was stored with a version. Raises BlobError."""
    if version.profile is None:
        return None
    return msgspec.json.decode(project.blobs.read(version.profile), type=dict[str, Any])


def pin(project: Project, text: str, *, pinned: bool) -> DatasetVersion:
    """Mark a version as one to keep, or end that; return it as it is then."""
    found = find_version(project, text)
    changed = msgspec.structs.replace(found, pinned=pinned)
    if changed != found:
        with project.store.write() as tx:
            tx.newest_dataset_version(found.dataset)  # nobody else changes it meanwhile
            tx.change_dataset_version(changed)
    return changed
