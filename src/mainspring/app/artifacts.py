"""The verb `artifacts`: list, preview and copy out what tasks have made."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mainspring.app.project import Project
from mainspring.app.views import ArtifactView, artifact_view
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import ConflictError, MainspringError, NotFoundError
from mainspring.records.runs import Run
from mainspring.storage.serializers import registry

SUFFIXES = {
    "json": ".json", "text": ".txt", "bytes": ".bin", "npy": ".npy", "skops": ".skops",
    "pickle": ".pickle", "arrow": ".arrow", "safetensors": ".safetensors", "onnx": ".onnx",
    "xgboost": ".ubj", "lightgbm": ".txt", "plotly": ".json", "image": ".png", "figure": ".png",
}  # fmt: skip
"""File name endings; the blob itself is such a file."""

PACKED = frozenset({"list", "dict", "object"})
FILES = frozenset({"file", "directory", "custom"})


def list_artifacts(project: Project, run: Run, target: str | None = None) -> list[ArtifactView]:
    """Return the artifacts of a run, of a task, or the one named `task.output`.

    Without a task, those of a map's elements are left out: the map's own list has them.
    """
    if target is not None:
        return [artifact_view(*found) for found in _named(project, run, target)]
    found = project.store.read.artifacts(run.id, elements=False)
    return [artifact_view(*artifact) for artifact in found]


def find_artifact(project: Project, run: Run, target: str) -> tuple[str, str, ArtifactRef]:
    """Return (task, output, reference) of `task.output`, or of a task with one output.

    Raises NotFoundError.
    """
    found = _named(project, run, target)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFoundError(
            f"{target} has no artifacts", hint=f"`mainspring show {run.id} {target}`"
        )
    names = ", ".join(f"{task}.{output}" for task, output, _ in found)
    raise NotFoundError(f"{target} has more than one output", hint=f"name one: {names}")


def _named(project: Project, run: Run, target: str) -> list[tuple[str, str, ArtifactRef]]:
    read = project.store.read
    try:
        task = read.find_task(run.id, target)
    except NotFoundError:
        path, dot, output = target.rpartition(".")
        if not dot:
            raise
        outputs = read.outputs(read.find_task(run.id, path).id)
        if output not in outputs:
            known = ", ".join(outputs) or "none"
            raise NotFoundError(
                f"{path} has no output {output!r}", hint=f"there is {known}"
            ) from None
        return [(path, output, outputs[output])]
    return [(target, name, ref) for name, ref in read.outputs(task.id).items()]


def preview(project: Project, ref: ArtifactRef, limit: int = 4000) -> str:
    """Return an artifact's value as text, shortened; never runs a pickle."""
    return registry.preview(ref, project.blobs, limit)


def file_name(task: str, output: str, ref: ArtifactRef) -> str:
    """Return the name that a copy gets when none is given."""
    stem = task if output == "result" else f"{task}.{output}"
    return stem.replace("/", "-") + SUFFIXES.get(ref.format, "")


def write_to(project: Project, ref: ArtifactRef, stream: BinaryIO) -> None:
    """Copy an artifact's bytes to a stream. Raises MainspringError for a tree of files."""
    if ref.format == "directory" or ref.format in PACKED:
        raise MainspringError(
            f"a {ref.type or ref.format} is more than one file", hint="give a path with -o"
        )
    with tempfile.TemporaryDirectory() as scratch:
        content = _content(project, ref, Path(scratch))
        if content.is_dir():
            raise MainspringError(f"a {ref.type} is a directory", hint="give a path with -o")
        with content.open("rb") as file:
            shutil.copyfileobj(file, stream, 1 << 20)


def copy_out(project: Project, ref: ArtifactRef, target: Path, *, force: bool = False) -> Path:
    """Copy an artifact to a path, whole or not at all.

    A list or dict becomes a directory with one file for each element. Raises ConflictError when
    something is there, unless `force`.
    """
    project.refuse_home(target)
    check_free(target, force=force)
    if ref.format in PACKED:
        return settle(target, lambda scratch: _unpack(project, ref, scratch / "content"))
    return settle(target, lambda scratch: _copy(_content(project, ref, scratch), scratch))


def check_free(target: Path, *, force: bool) -> None:
    """Raise ConflictError when something is there (unless `force`), NotFoundError when there is no
    such directory."""
    if os.path.lexists(target) and not force:
        raise ConflictError(f"{target} exists already", hint="--force overwrites it")
    if not target.parent.is_dir():
        raise NotFoundError(f"there is no directory {target.parent}")


def settle(target: Path, make: Callable[[Path], Path]) -> Path:
    """Have something made beside its place, and moved there when it is complete."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".mainspring-") as scratch:
        made = make(Path(scratch))
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        elif made.is_dir() and os.path.lexists(target):
            target.unlink()
        os.replace(made, target)
    return target


def _content(project: Project, ref: ArtifactRef, scratch: Path) -> Path:
    """A file or directory with what is asked for: the blob, or the stored file by its name."""
    if ref.format not in FILES:
        return project.blobs.path(ref.digest)
    return registry.lay_out(ref, project.blobs, scratch)


def _copy(source: Path, scratch: Path) -> Path:
    if source.is_relative_to(scratch):
        return source
    made = scratch / "copy"
    shutil.copyfile(source, made)
    return made


def _unpack(project: Project, ref: ArtifactRef, directory: Path) -> Path:
    """Write each element of a packed artifact as a file of its own."""
    directory.mkdir()
    for index, entry in enumerate(registry.index_of(_as_list(ref), project.blobs)):
        place = directory / f"{index}{SUFFIXES.get(entry.format, '')}"
        if entry.offset >= 0 and entry.format not in PACKED | FILES:
            with project.blobs.path(ref.digest).open("rb") as file:
                file.seek(entry.offset)
                place.write_bytes(file.read(entry.size))
            continue
        inner = ArtifactRef(
            digest=entry.digest, size=entry.size, format=entry.format, type=entry.type
        )
        if entry.offset >= 0:
            raise MainspringError(
                f"element {index} is a {entry.type or entry.format} inside of another value",
                hint="load it in Python: mainspring.run(...)",
            )
        copy_out(project, inner, place)
    return directory


def _as_list(ref: ArtifactRef) -> ArtifactRef:
    if ref.format == "list":
        return ref
    return ArtifactRef(digest=ref.digest, size=ref.size, format="list", type=ref.type)
