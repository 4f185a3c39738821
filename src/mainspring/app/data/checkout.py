"""The verb `data checkout`: a version's files in a directory, complete or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from mainspring.app.data.adding import reading_of
from mainspring.app.project import Project
from mainspring.records.datasets import DatasetVersion
from mainspring.records.errors import ConflictError, MainspringError, NotFoundError
from mainspring.storage.folders.content import Content, check_entry
from mainspring.storage.folders.manifest import FileEntry
from mainspring.storage.intake import HashingIntake, hashed


def checkout(
    project: Project,
    version: DatasetVersion,
    target: Path,
    *,
    link: bool = False,
    force: bool = False,
) -> bool:
    """Write a version's files to `target`, each checked against its digest; return whether
    anything had to be done. With `link` they are hard links to the stored ones, read-only.

    Raises ConflictError where something is there that is no version of this dataset (so that it
    would be lost), unless `force`.
    """
    project.refuse_home(target)
    if not target.parent.is_dir():
        raise NotFoundError(f"there is no directory {target.parent}")
    if os.path.lexists(target):
        there = _found(project, version, target)
        if there == _identity(project, version):
            return False
        if not force:
            _refuse_loss(project, version, target, there)
    content = Content(version.ref, project.blobs)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".mainspring-") as scratch:
        made = Path(scratch) / "content"
        try:
            _write(content, made, link=link)
        except OSError as error:
            raise MainspringError(
                f"can't write {error.filename or made}: {error.strerror}",
                hint="leave --link out" if link else None,
            ) from error
        _replace(made, target, Path(scratch))
    return True


def _write(content: Content, made: Path, *, link: bool) -> None:
    if content.kind == "file":
        for entry in content.files():
            _place(content, entry, str(made), link=link)
        return
    made.mkdir()
    folders = {""}
    for entry in content.files():
        path = check_entry(entry)
        folder = path.rpartition("/")[0]
        if folder not in folders:
            folders = {"", folder}  # those of one folder come together
            os.makedirs(made / folder, exist_ok=True)
        _place(content, entry, f"{made}/{path}", link=link)
    for folder in content.empty():
        os.makedirs(made / check_entry(FileEntry(name=folder, digest="", size=0)))


def _place(content: Content, entry: FileEntry, target: str, *, link: bool) -> None:
    if link and not entry.executable:
        content.link(entry, target)
    else:
        content.write(entry, target)


def _replace(made: Path, target: Path, scratch: Path) -> None:
    """Move what was made to its place, and what was there out of it."""
    if os.path.lexists(target):
        old = scratch / "old"
        os.rename(target, old)
        os.rename(made, target)
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        return
    os.rename(made, target)


def _refuse_loss(project: Project, version: DatasetVersion, target: Path, there: str) -> None:
    if target.is_dir() and not target.is_symlink() and not any(target.iterdir()):
        return
    versions = project.store.read.dataset_versions(version.dataset)
    if not there or all(_identity(project, each) != there for each in versions):
        raise ConflictError(
            f"{target} holds something that is no version of {version.dataset}",
            hint=f"`mainspring data add {version.dataset} {target}` makes it one; "
            "--force overwrites it",
        )


def _identity(project: Project, version: DatasetVersion) -> str:
    """What a place has to hold to be this version: of one file only the content, not the name."""
    if version.ref.format != "file":
        return version.digest
    [entry] = Content(version.ref, project.blobs).files()
    return entry.digest


def _found(project: Project, version: DatasetVersion, target: Path) -> str:
    """What a place holds, likewise; nothing where that can be no version."""
    name = version.dataset
    try:
        if target.is_file() and not target.is_symlink():
            return "blake3:" + hashed(str(target)).digest.hex()
        with reading_of(project, name, target, "checkout") as reading:
            before = reading.before()
            if before is not None and reading.unchanged():
                return before.digest
            digest, _ = reading.take(name, HashingIntake(), None, project.home / "cache")
            reading.remember(digest, digest)
            return digest
    except MainspringError:
        return ""
