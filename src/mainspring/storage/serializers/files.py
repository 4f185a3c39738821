"""The formats "file" and "directory": a manifest, and a blob for the content of each file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from mainspring.records.canonical import canonical
from mainspring.records.errors import SerializationError
from mainspring.storage import bulk
from mainspring.storage.folders.manifest import FileEntry, Tree
from mainspring.storage.serializers.base import IN_MEMORY, Sink, Source, damaged, shorten

_READABLE, _RUNNABLE = 0o644, 0o755
_EXECUTABLE = stat.S_IXUSR


__all__ = ["Directory", "File", "FileEntry", "Tree"]

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
    _check_kept(name, root)
    files: list[FileEntry] = []
    empty: list[str] = []
    for path, is_file in _walk(os.fspath(root)):
        place = root / path
        if is_file:
            files.append(store_file(place, path, sink))
        else:
            _check_kept(path, place)
            empty.append(path)
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
    made = {""}
    try:
        target.mkdir()
        for name in tree.empty:
            (target / name).mkdir(parents=True, exist_ok=True)
        for entry in tree.files:
            parent = entry.name.rpartition("/")[0]
            if parent not in made:
                made.add(parent)
                (target / parent).mkdir(parents=True, exist_ok=True)
            _materialise(source, entry, target / entry.name)
    except (FileExistsError, NotADirectoryError) as error:
        raise damaged(f"a path in it is used twice: {error.filename}") from error
    return target


def store_file(path: Path, name: str, sink: Sink) -> FileEntry:
    """Store a file's content; the manifest calls it `name`."""
    _check_kept(name, path)
    before = _stat(path)
    if not stat.S_ISREG(before.st_mode):
        raise SerializationError(
            f"{path} is not a regular file", hint="return files and directories only"
        )
    digest, size = sink.blobs.put_file(path)
    after = _stat(path)
    if size != after.st_size or before.st_mtime_ns != after.st_mtime_ns:
        raise SerializationError(
            f"{path} changed while it was stored",
            hint="end what writes it before the step returns it",
        )
    executable = bool(before.st_mode & _EXECUTABLE)
    return FileEntry(name=name, digest=digest, size=size, executable=executable)


def _stat(path: Path) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise SerializationError(f"can't read {path}: {error.strerror}") from error


def _check_kept(name: str, path: Path) -> None:
    """Refuse now what would be refused as a path when it is read."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise SerializationError(
            f"the file name {name!r} is not valid UTF-8", where=ascii(str(path)), hint="rename it"
        ) from error
    if "\\" in name:
        raise SerializationError(
            f"the file name {name!r} has a backslash, which a path can't", where=str(path),
            hint="rename it",
        )  # fmt: skip


def _walk(root: str) -> Iterator[tuple[str, bool]]:
    """Paths of the files below a directory (and True), and of empty directories (and False).

    However deep it is: its entries are taken from a list of what is left to look at.
    """
    left = [""]
    while left:
        name = left.pop()
        entries = _entries(os.path.join(root, name) if name else root)
        if not entries and name:
            yield name, False
        for entry in entries:
            path = f"{name}/{entry.name}" if name else entry.name
            if entry.is_symlink():
                raise SerializationError(
                    f"{ascii(entry.path)[1:-1]} is a symbolic link, which a directory artifact "
                    "can't hold",
                    hint="copy what it points at in its place (cp -rL), or leave it out",
                )
            if entry.is_dir():
                left.append(path)
            else:
                yield path, True


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except OSError as error:
        raise SerializationError(
            f"can't read {ascii(directory)[1:-1]}: {error.strerror}"
        ) from error


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
    blobs, mode = source.reading.blobs, _RUNNABLE if entry.executable else _READABLE
    if entry.size > IN_MEMORY:
        bulk.copy_file(blobs.path(entry.digest), target, mode)
        return
    data = blobs.read(entry.digest)  # one read, where `path` and a copy would be two
    here = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        bulk.write_all(here, memoryview(data))
    finally:
        os.close(here)


def line(entry: FileEntry) -> str:
    """A file in one line, for people."""
    name = entry.name if entry.name.isprintable() else repr(entry.name)
    return f"{name}  {entry.size} bytes  {entry.digest[:17]}…"


def listing(tree: Tree, limit: int) -> str:
    """A directory and its first files, for people."""
    total = sum(entry.size for entry in tree.files)
    lines = [f"{tree.name}/: {len(tree.files)} files, {total} bytes"]
    return "\n".join(lines + [line(entry) for entry in tree.files[: limit // 10]])
