"""The files of a dataset's version, wherever they are kept: among the blobs, or in their place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import CorruptBlobError, MainspringError
from mainspring.records.ports import Blobs
from mainspring.storage import bulk
from mainspring.storage.blobs import SMALL
from mainspring.storage.examination import examine
from mainspring.storage.folders.manifest import FileEntry, empty_folders, entries_of
from mainspring.storage.folders.reference import FORMAT, read_reference
from mainspring.storage.intake import hashed


class Content:
    """What a version holds. Its files come one at a time: there may be a million."""

    def __init__(self, ref: ArtifactRef, blobs: Blobs) -> None:
        """Raises BlobError, CorruptBlobError."""
        self._blobs = blobs
        self.place = ""  # of data that is no blob
        if ref.format == FORMAT:
            reference = read_reference(blobs.read(ref.digest))
            self.kind, self.place = reference.kind, reference.place
            self._manifest = blobs.path(reference.manifest)
        else:
            self.kind = ref.format
            self._manifest = blobs.path(ref.digest)

    def files(self) -> Iterator[FileEntry]:
        """The files, by path."""
        return entries_of(self._manifest, self.kind)

    def empty(self) -> tuple[str, ...]:
        """The empty directories."""
        return empty_folders(self._manifest) if self.kind == "directory" else ()

    def path(self, entry: FileEntry) -> Path:
        """A file with the content, checked. Raises MainspringError."""
        if not self.place:
            return self._blobs.path(entry.digest)
        place = Path(self.place) if self.kind == "file" else Path(self.place, check_entry(entry))
        if fault := self.fault(entry):
            raise MainspringError(fault, where=ascii(str(place))[1:-1])
        return place

    def fault(self, entry: FileEntry) -> str:
        """Read all of a file; what is wrong with it, or nothing."""
        if not self.place:
            return examine(self._blobs, entry.digest, entry.size)
        place = self.place if self.kind == "file" else f"{self.place}/{check_entry(entry)}"
        if not os.path.isfile(place):
            return "is missing"
        try:
            changed = hashed(place).digest.hex() != entry.digest[7:]
        except MainspringError as error:
            return error.what
        return "has changed" if changed else ""

    def write(self, entry: FileEntry, target: str) -> None:
        """Write the content to a new file. Raises MainspringError, OSError."""
        mode = 0o755 if entry.executable else 0o644
        if entry.size > SMALL or self.place:
            bulk.copy_file(self.path(entry), Path(target), mode)
            return
        data = self._blobs.read(entry.digest)  # one read, where `path` and a copy would be two
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            bulk.write_all(fd, memoryview(data))
        finally:
            os.close(fd)

    def link(self, entry: FileEntry, target: str) -> None:
        """Give the content a second name, read-only. Raises MainspringError, OSError."""
        if self.place:  # a user's own file is not protected from being written
            self.write(entry, target)
        else:
            os.link(self.path(entry), target)


def check_entry(entry: FileEntry) -> str:
    """The path of a file in a manifest. Raises CorruptBlobError for one that leads elsewhere."""
    for name in entry.name.split("/"):
        if name in ("", ".", "..") or "\\" in name or "\0" in name:
            raise CorruptBlobError(f"a manifest has the unsafe path {entry.name!r}")
    return entry.name
