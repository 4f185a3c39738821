"""A directory read in the order of its manifest, a folder at a time."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from mainspring.records.errors import MainspringError

_REGULAR = stat.S_IFREG >> 12
EXECUTABLE = stat.S_IXUSR
_HINT = "leave it out with --exclude"

Row = tuple[str, int, int, int, int, int]
"""A file: name, size, mtime (ns), ctime (ns), inode, mode."""

encode = msgspec.msgpack.Encoder().encode


class Folder(NamedTuple):
    """One directory: `path` is "" or ends with `/`, `place` is where it is on the disk.

    `rows` are its files by name, `links` those of them that are links to other places. `empty`
    says that there is nothing in it at all, files that are left out not counted.
    """

    path: str
    place: str
    rows: list[Row]
    links: dict[str, str]
    empty: bool


def refused(path: str, what: str, hint: str = _HINT) -> MainspringError:
    """The error for a file that can't be part of a dataset."""
    return MainspringError(what, where=ascii(path)[1:-1], hint=hint)


class Walk:
    """Walks a directory. Folders come in the order of their paths, so that two walks of the same
    tree can be laid side by side, and nothing but one folder has to be in memory."""

    kind = "directory"

    def __init__(self, root: str, *, exclude: tuple[str, ...] = (), skip: str = "") -> None:
        """`exclude` are globs (without `/` for names at any depth, with one for paths from the
        root), `skip` the real path of a directory that is left out."""
        self.root = root
        self._skip = skip
        self._left_out = _matcher(exclude) if exclude else None

    def folders(self) -> Iterator[Folder]:
        """Every directory. Raises MainspringError, naming it, for what can't be kept: links that
        lead outside or to directories, special files, names that are not UTF-8 text."""
        waiting = [("", self.root)]
        while waiting:
            path, place = waiting.pop()
            folder, below = self._read(path, place)
            yield folder
            # The last one is taken first: so in the order of `name/`.
            waiting.extend(
                (f"{path}{name}", f"{place}/{name[:-1]}") for name in sorted(below, reverse=True)
            )

    def _read(self, path: str, place: str) -> tuple[Folder, list[str]]:
        rows: list[Row] = []
        below: list[str] = []
        links: dict[str, str] = {}
        try:
            with os.scandir(place) as found:
                for entry in found:
                    name = entry.name
                    if self._left_out is not None and self._left_out(path, name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        if entry.path != self._skip:
                            below.append(name + "/")
                        continue
                    now = entry.stat(follow_symlinks=False)
                    if now.st_mode >> 12 != _REGULAR:
                        links[name], now = self._followed(path + name, entry)
                    rows.append(
                        (name, now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino,
                         now.st_mode)
                    )  # fmt: skip
        except OSError as error:
            raise refused(
                os.fsdecode(error.filename or path or place), f"can't be read: {error.strerror}"
            ) from error
        rows.sort()
        _check_names(path, [row[0] for row in rows] + below)
        return Folder(path, place, rows, links, not rows and not below), below

    def _followed(self, path: str, entry: os.DirEntry[str]) -> tuple[str, os.stat_result]:
        if not entry.is_symlink():
            raise refused(path, "is neither a file nor a directory")
        place = os.path.realpath(entry.path)
        if not place.startswith(self.root.rstrip("/") + "/"):
            raise refused(path, f"is a link to {place}, outside of the directory")
        try:
            now = os.stat(place)
        except OSError:
            raise refused(path, "is a link to nothing") from None
        if stat.S_ISDIR(now.st_mode):
            raise refused(path, "is a link to a directory")
        if not stat.S_ISREG(now.st_mode):
            raise refused(path, "is neither a file nor a directory")
        return place, now


class One:
    """A single file, as if it were alone in a directory."""

    kind = "file"

    def __init__(self, path: str) -> None:
        self.path = path

    def folders(self) -> Iterator[Folder]:
        """A folder with that file. Raises MainspringError."""
        name = os.path.basename(self.path)
        _check_names("", [name])
        try:
            now = os.stat(self.path)
        except OSError as error:
            raise refused(self.path, f"can't be read: {error.strerror}", "look at it") from error
        if not stat.S_ISREG(now.st_mode):
            raise refused(self.path, "is neither a file nor a directory", "name one")
        row = (
            name, now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino, now.st_mode
        )  # fmt: skip
        yield Folder("", os.path.dirname(self.path), [row], {}, False)


def _check_names(path: str, names: list[str]) -> None:
    """Refuse now what could not be laid out again."""
    joined = "".join(names)
    if joined.isascii() and "\\" not in joined:
        return
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise refused(path + name, "has a name that is not UTF-8 text", "rename it") from None
        if "\\" in name:
            raise refused(path + name, "has a backslash in its name", "rename it")


class _matcher:  # loaded only where something is excluded
    def __init__(self, globs: tuple[str, ...]) -> None:
        import fnmatch
        import re

        def one(chosen: list[str]) -> re.Pattern[str] | None:
            text = "|".join(fnmatch.translate(glob) for glob in chosen)
            return re.compile(text) if text else None

        plain = [glob.strip("/") for glob in globs]
        self._names = one([glob for glob in plain if "/" not in glob])
        self._paths = one([glob.removesuffix("/**") for glob in plain if "/" in glob])

    def __call__(self, path: str, name: str) -> bool:
        if self._names is not None and self._names.match(name):
            return True
        return self._paths is not None and self._paths.match(path + name) is not None
