"""The files of a project's directory that make up its source."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mainspring.records.errors import ProjectError

_ENV_TEMPLATES = frozenset({".env.example", ".env.sample", ".env.template"})
SKIPPED = frozenset(
    {
        ".mainspring",
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "__pycache__",
        "node_modules",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".hypothesis",
        ".ipynb_checkpoints",
        ".DS_Store",
    }
)
"""Names left out wherever they stand; so are `*.pyc`, `*.crate.zip` (capsules) and any directory
with a `pyvenv.cfg`."""

_HINT = "leave it out: [source] exclude in mainspring.toml"


class Entry(NamedTuple):
    """A file: its POSIX path in the project, where it lies, and its state."""

    path: str
    place: str
    status: os.stat_result


def entries(root: Path, home: Path, exclude: Sequence[str] = ()) -> Iterator[Entry]:
    """Every source file below `root`. Links to files and directories inside it are followed.

    A glob without `/` matches names at any depth, one with `/` paths from the root; what matches
    a directory leaves out all of it. Raises ProjectError for a link that leads outside, and for
    a name that is not text. Sockets, pipes, devices and links to nothing are left out.
    """
    return _Tree(root, home, exclude).walk()


class _Tree:
    def __init__(self, root: Path, home: Path, exclude: Sequence[str]) -> None:
        self._root = os.path.realpath(root)
        self._home = os.path.realpath(home)
        self._named = _matcher([glob.rstrip("/") for glob in exclude if not _has_folder(glob)])
        self._placed = _matcher(
            [glob.strip("/").removesuffix("/**") for glob in exclude if _has_folder(glob)]
        )

    def walk(self) -> Iterator[Entry]:
        waiting: list[tuple[str, str, tuple[str, ...]]] = [("", self._root, (self._root,))]
        while waiting:
            prefix, folder, above = waiting.pop()
            for found in self._listed(folder, prefix):
                path = prefix + found.name
                if self._is_left_out(found, path):
                    continue
                place, status = self._followed(found, path)
                if status is None:
                    continue
                if stat.S_ISREG(status.st_mode):
                    _check_name(path)
                    yield Entry(path, place, status)
                elif stat.S_ISDIR(status.st_mode):
                    self._check_loop(path, place, above, link=found.is_symlink())
                    if not os.path.exists(os.path.join(place, "pyvenv.cfg")):
                        waiting.append((path + "/", place, (*above, place)))

    def _listed(self, folder: str, prefix: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as listing:
                return sorted(listing, key=lambda found: found.name)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ProjectError(
                f"can't be listed: {error.strerror}", where=prefix or ".", hint=_HINT
            ) from None

    def _is_left_out(self, found: os.DirEntry[str], path: str) -> bool:
        name = found.name
        if (
            name in SKIPPED
            or name.endswith((".pyc", ".pyo", ".crate.zip"))
            or found.path == self._home
        ):
            return True
        # Secrets live there: they must not be stored with the source. A step declares `env=`.
        if name == ".env" or (name.startswith(".env.") and name not in _ENV_TEMPLATES):
            return True
        return bool(self._named(name) or self._placed(path))

    def _followed(self, found: os.DirEntry[str], path: str) -> tuple[str, os.stat_result | None]:
        try:
            if not found.is_symlink():
                return found.path, found.stat(follow_symlinks=False)
            place = os.path.realpath(found.path)
            status = os.stat(place)
        except OSError:
            return found.path, None  # it vanished, or is a link to nothing
        if os.path.commonpath([place, self._root]) != self._root:
            raise ProjectError(
                f"is a link to {place}, outside of the project",
                where=path,
                hint=f"make it an input of the step that reads it (a dataset), or {_HINT}",
            )
        if os.path.commonpath([place, self._home]) == self._home:
            return place, None
        return place, status

    def _check_loop(self, path: str, place: str, above: tuple[str, ...], *, link: bool) -> None:
        if link and place in above:
            raise ProjectError("is a link to a directory it lies in", where=path, hint=_HINT)


def _has_folder(glob: str) -> bool:
    return "/" in glob.rstrip("/")


def _matcher(globs: Sequence[str]) -> Callable[[str], object]:
    if not globs:
        return lambda text: False  # noqa: ARG005
    return re.compile("|".join(fnmatch.translate(glob) for glob in globs)).match


def _check_name(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ProjectError(
            "has a name that is not UTF-8 text", where=ascii(path), hint="rename it, or " + _HINT
        ) from None


def is_inside(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of the folders or lies below one."""
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)
