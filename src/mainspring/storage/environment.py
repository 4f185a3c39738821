"""What is installed beside the project: distributions, by the names they are imported by."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from mainspring.records.canonical import digest_of
from mainspring.records.source import Inventory
from mainspring.storage.cachefile import load_checked, save_checked
from mainspring.storage.tree import is_inside

SETTLED = 2_000_000_000  # ns after which a file's times tell whether it was written again
_VERSION = 1

State = tuple[str, int, int, int, int]


class _Cache(msgspec.Struct, frozen=True, array_like=True):
    """An inventory, and the state of every place that it was read from."""

    version: int
    python: str
    project: str
    path: list[str]
    states: list[State]
    inventory: Inventory


_decoder = msgspec.msgpack.Decoder(_Cache)


def inventory(cache_dir: Path, *, project: Path | None = None) -> Inventory:
    """Return what can be imported from outside the standard library and the project.

    Read again only when a directory of `sys.path`, or a file of something that has no version
    (an editable install, a bare module), has changed. `project` is the project's root; by
    default the directory that holds `.mainspring`, if `cache_dir` lies in one.
    """
    root = _root(cache_dir, project)
    searched = list(_searched([root, os.path.realpath(cache_dir.parent)]))
    python = f"{sys.version} {sys.prefix}"
    # One entry for each way to start: a script has its own directory in `sys.path`.
    place = cache_dir / f"environment-{digest_of([python, root, searched])[7:23]}"
    known = _load(place)
    if (
        known
        and (known.version, known.python, known.project) == (_VERSION, python, root)
        and known.path == searched
        and all(state(each[0]) == each for each in known.states)
    ):
        return known.inventory
    from mainspring.storage.installed import take_inventory

    # Looked at before they are read: what changes meanwhile makes the next look differ.
    watched = [state(each) for each in searched]
    made, sources = take_inventory(searched, root)
    watched += [state(each) for each in sources]
    newest = max((max(each[2], each[3]) for each in watched), default=0)
    if time.time_ns() - newest > SETTLED:
        cache = _Cache(_VERSION, python, root, searched, watched, made)
        save_checked(place, msgspec.msgpack.encode(cache))
    return made


def state(path: str) -> State:
    """What tells whether a file or directory has been changed."""
    try:
        found = os.stat(path)
    except OSError:
        return (path, -1, 0, 0, 0)
    return (path, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def platform_key(python: str | None = None) -> str:
    """Operating system, architecture, and Python's implementation and minor version: those that
    run now, or another minor version such as "3.12"."""
    if hasattr(os, "uname"):
        machine = os.uname().machine
    else:
        import platform

        machine = platform.machine()
    flags = getattr(sys, "abiflags", "")  # "t" is the build without the global lock
    version = python or "{}.{}".format(*sys.version_info)
    return f"{sys.platform}-{machine}-{sys.implementation.name}-{version}{flags}"


def _load(place: Path) -> _Cache | None:
    data = load_checked(place)
    with suppress(msgspec.DecodeError, ValueError):
        return _decoder.decode(data) if data else None
    return None


def _root(cache_dir: Path, project: Path | None) -> str:
    if project is None:
        home = cache_dir.parent
        project = home.parent if home.name == ".mainspring" else None
    return os.path.realpath(project) if project else ""


def _searched(own_places: list[str]) -> Iterator[str]:
    """The places of `sys.path` outside the standard library and the project, in order.

    A snapshot, from which the command line imports a project's modules, is the project too.
    """
    inside = [place for place in own_places if place]
    library = os.path.dirname(os.path.realpath(os.__file__))
    own = {library, os.path.join(library, "lib-dynload")}
    for entry in dict.fromkeys(sys.path):
        place = os.path.realpath(entry or os.getcwd())
        if place in own or not os.path.exists(place):
            continue
        if not is_inside(place, inside) or "site-packages" in place:
            yield place
