"""The formats "file" and "directory": a manifest, and a blob for the content of each file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import count
from pathlib import Path, PurePosixPath
from typing import TypeVar, cast

import msgspec

from mainspring.records.canonical import canonical
from mainspring.records.errors import SerializationError
from mainspring.storage import bulk
from mainspring.storage.serializers.base import Sink, Source, damaged, shorten

_READABLE, _RUNNABLE = 0o644, 0o755
_EXECUTABLE = stat.S_IXUSR


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file: its name (in a directory: its path, with `/`), content and mode."""

    name: str
    digest: str
    size: int
    executable: bool = False


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """A directory: its name, its files sorted by path, and its empty directories."""

    name: str
    files: tuple[FileEntry, ...]
    empty: tuple[str, ...]


Manifest = TypeVar("Manifest", FileEntry, Tree)


class File:
    """A `pathlib.Path` to a file; read as a new file of the same name in the work directory."""

    name = "file"
    data_only = True
    refers = True

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Store the content and write the manifest."""
        path = cast("Path", value)
        sink.write(canonical(store_file(path, path.absolute().name, sink)))

    def load(self, source: Source) -> object:
        """Write the file anew: changing it changes no blob."""
        return self.lay_out(source)

    def lay_out(self, source: Source) -> Path:
        """The same."""
        return lay_out_file(source, _read(source, FileEntry), source.reading.workdir)

    def preview(self, source: Source, limit: int) -> str:
        """Name and size."""
        return shorten(line(_read(source, FileEntry)), limit)

    def references(self, source: Source) -> Iterator[str]:
        """The content."""
        yield _read(source, FileEntry).digest


class Directory:
    """A `pathlib.Path` to a directory; symbolic links are refused, empty directories kept."""

    name = "directory"
    data_only = True
    refers = True

    def dump(self, value: object, hint: object, sink: Sink) -> None:  # noqa: ARG002
        """Store each file and write the manifest."""
        root = cast("Path", value)
        sink.write(canonical(store_tree(root, root.absolute().name or "root", sink)))

    def load(self, source: Source) -> object:
        """Write the directory anew."""
        return self.lay_out(source)

    def lay_out(self, source: Source) -> Path:
        """The same."""
        return lay_out_tree(source, _read(source, Tree), source.reading.workdir)

    def preview(self, source: Source, limit: int) -> str:
        """The files, one a line."""
        return shorten(listing(_read(source, Tree), limit), limit)

    def references(self, source: Source) -> Iterator[str]:
        """The content of every file."""
        for entry in _read(source, Tree).files:
            yield entry.digest


def store_tree(root: Path, name: str, sink: Sink) -> Tree:
    """Store each file of a directory; the manifest calls it `name`."""
    files: list[FileEntry] = []
    empty: list[str] = []
    for path, inner in _walk(root, PurePosixPath()):
        if inner is None:
            _check_kept(str(path), root / path)
            empty.append(str(path))
        else:
            files.append(store_file(inner, str(path), sink))
    files.sort(key=lambda entry: entry.name)
    return Tree(name=name, files=tuple(files), empty=tuple(sorted(empty)))


def lay_out_file(source: Source, entry: FileEntry, workdir: Path | None) -> Path:
    """Write a stored file anew, below `workdir`."""
    _check_name(entry.name)
    target = _free_place(workdir, entry.name)
    _materialise(source, entry, target)
    return target


def lay_out_tree(source: Source, tree: Tree, workdir: Path | None) -> Path:
    """Write a stored directory anew, below `workdir`."""
    _check_name(tree.name)
    for name in (*(entry.name for entry in tree.files), *tree.empty):
        _check_path(name)
    target = _free_place(workdir, tree.name)
    try:
        target.mkdir()
        for name in tree.empty:
            (target / name).mkdir(parents=True, exist_ok=True)
        for entry in tree.files:
            place = target / entry.name
            place.parent.mkdir(parents=True, exist_ok=True)
            _materialise(source, entry, place)
    except (FileExistsError, NotADirectoryError) as error:
        raise damaged(f"a path in it is used twice: {error.filename}") from error
    return target


def store_file(path: Path, name: str, sink: Sink) -> FileEntry:
    """Store a file's content; the manifest calls it `name`."""
    _check_kept(name, path)
    try:
        name.encode()
        mode = path.stat().st_mode
    except UnicodeEncodeError as error:
        raise SerializationError(
            f"the file name {name!r} is not valid UTF-8", where=ascii(str(path)), hint="rename it"
        ) from error
    except OSError as error:
        raise SerializationError(f"can't read {path}: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise SerializationError(
            f"{path} is not a regular file", hint="return files and directories only"
        )
    digest, size = sink.blobs.put_file(path)
    return FileEntry(name=name, digest=digest, size=size, executable=bool(mode & _EXECUTABLE))


def _check_kept(name: str, path: Path) -> None:
    """Refuse now what would be refused as a path when it is read."""
    if "\\" in name:
        raise SerializationError(
            f"the file name {name!r} has a backslash, which a path can't", where=str(path),
            hint="rename it",
        )  # fmt: skip


def _walk(directory: Path, name: PurePosixPath) -> Iterator[tuple[PurePosixPath, Path | None]]:
    """Files below a directory; an empty directory comes as its name and None."""
    try:
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise SerializationError(f"can't read {directory}: {error.strerror}") from error
    if not entries and name.parts:
        yield name, None
    for entry in entries:
        if entry.is_symlink():
            raise SerializationError(
                f"{entry.path} is a symbolic link, which a directory artifact can't hold",
                hint="copy what it points at in its place (cp -rL), or leave it out",
            )
        if entry.is_dir():
            yield from _walk(Path(entry.path), name / entry.name)
        else:
            yield name / entry.name, Path(entry.path)


def _read(source: Source, kind: type[Manifest]) -> Manifest:
    try:
        return msgspec.json.decode(source.read(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(f"its manifest is not valid ({error})") from error


def _check_name(name: str) -> None:
    if name in ("", ".", "..") or any(sign in name for sign in "/\\\0"):
        raise damaged(f"its manifest has the unsafe name {name!r}")


def _check_path(path: str) -> None:
    for name in path.split("/"):
        _check_name(name)


def _free_place(workdir: Path | None, name: str) -> Path:
    """A path of that name that is not taken: in the work directory or one level below it."""
    if workdir is None:
        raise SerializationError(
            f"the file {name!r} needs a place to be written to",
            hint="give a work directory",
        )
    workdir.mkdir(parents=True, exist_ok=True)
    place = workdir / name
    if not os.path.lexists(place):
        return place
    for number in count(1):
        folder = workdir / str(number)
        place = folder / name
        if not os.path.lexists(place) and not os.path.islink(folder):
            folder.mkdir(exist_ok=True)
            return place
    raise AssertionError("unreachable")


def _materialise(source: Source, entry: FileEntry, target: Path) -> None:
    content = source.reading.blobs.path(entry.digest)
    bulk.copy_file(content, target, _RUNNABLE if entry.executable else _READABLE)


def line(entry: FileEntry) -> str:
    """A file in one line, for people."""
    return f"{entry.name}  {entry.size} bytes  {entry.digest[:17]}…"


def listing(tree: Tree, limit: int) -> str:
    """A directory and its first files, for people."""
    total = sum(entry.size for entry in tree.files)
    lines = [f"{tree.name}/: {len(tree.files)} files, {total} bytes"]
    return "\n".join(lines + [line(entry) for entry in tree.files[: limit // 10]])
