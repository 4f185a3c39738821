"""The verb `data verify`: every byte of a version is read again."""

from __future__ import annotations

from mainspring.app.data.views import DatasetCheckView, FaultView, version_view
from mainspring.app.project import Project
from mainspring.records.datasets import DatasetVersion
from mainspring.records.errors import MainspringError
from mainspring.storage.folders.content import Content

LISTED = 1000


def verify(project: Project, version: DatasetVersion) -> DatasetCheckView:
    """Read all of a version; say which of its files are not what was recorded.

    What is damaged is moved aside, and `data add` then stores it again from where it is whole.
    """
    faults: list[FaultView] = []
    read = read_size = count = 0
    seen: set[bytes] = set()  # a blob need not be read twice; of data in its place each file is
    try:
        content = Content(version.ref, project.blobs)
        for entry in content.files():
            key = bytes.fromhex(entry.digest[7:])
            fault = "" if key in seen else content.fault(entry)
            if not content.place:
                seen.add(key)
            read, read_size = read + 1, read_size + entry.size
            if fault:
                seen.discard(key)
                count += 1
                if count <= LISTED:
                    faults.append(FaultView(path=entry.name, fault=fault))
    except MainspringError as error:
        count += 1
        faults.append(FaultView(path="(manifest)", fault=error.what))
    if count:
        forget_reading(project, version.dataset)
    return DatasetCheckView(
        version=version_view(version),
        read=read,
        read_size=read_size,
        faults=faults,
        cut=["faults"] if count > len(faults) else [],
    )


def forget_reading(project: Project, name: str) -> None:
    """Let the next `data add` read everything: what is remembered is no longer all there."""
    for cache in (project.home / "cache" / "datasets").glob(f"{name}-*"):
        cache.unlink(missing_ok=True)
