"""Datasets and models opened where no run is at work: in notebooks, and in steps called by hand."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from mainspring import settings
from mainspring.app.api import open_project
from mainspring.app.project import Project
from mainspring.app.sources import check_content, version_of
from mainspring.definition.locations import project_root
from mainspring.definition.sources import table_of
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.sources import Named
from mainspring.storage.serializers import registry, tables


def open_here(asked: Named, annotation: Any) -> Any:
    """Return what a step would be given of a source, in the project at hand: a read-only path, or
    a table where `annotation` asks for one. Raises NotFoundError, ProjectError."""
    project = open_project(settings.find_root(Path(project_root())))
    source = version_of(project, asked, "")
    check_content(project, source, "")
    if source.ref.format not in ("file", "directory") and source.kind == "model":
        return registry.load(source.ref, project.blobs, workdir=_folder(project, source.ref))
    path = laid_out(project, source.ref)
    library = None if annotation is None else table_of(annotation)
    if library is None:
        return path
    return tables.read(path, library.partition(".")[0])


def laid_out(project: Project, ref: ArtifactRef) -> Path:
    """Return a read-only file or directory with a version's content; made when first asked for."""
    folder = _folder(project, ref)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as scratch:
            content = Path(scratch, "content")
            content.mkdir()
            _freeze(registry.lay_out(ref, project.blobs, content))
            try:
                os.rename(content, folder)
            except OSError:
                if not folder.exists():  # else another process was faster
                    raise
    [made] = folder.iterdir()
    return made


def _folder(project: Project, ref: ArtifactRef) -> Path:
    return project.home / "cache" / "sources" / ref.digest.partition(":")[2]


def _freeze(path: Path) -> None:
    """Take the right to write from files; their directories keep it, so that they can go."""
    if path.is_file():
        path.chmod(path.stat().st_mode & 0o555)
        return
    for folder, _, names in os.walk(path):
        for name in names:
            file = Path(folder, name)
            file.chmod(file.stat().st_mode & 0o555)
