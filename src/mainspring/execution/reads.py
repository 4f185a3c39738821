"""The record of what one attempt reads, and the digests by which a later reader checks it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping

from mainspring.records.canonical import digest_of
from mainspring.records.notebook import is_cell_file
from mainspring.records.runs import Read

ABSENT = "absent"
LIMIT = 10_000
_SYSTEM = (
    *(
        "/proc/",
        "/sys/",
        "/dev/",
        "/usr/lib/",
        "/usr/lib64/",
        "/lib/",
        "/lib64/",
        "/usr/local/lib/",
    ),
    *("/usr/share/zoneinfo", "/usr/share/fonts/", "/usr/local/share/fonts/", "/usr/share/mime/"),
    *("/usr/share/ca-certificates/", "/usr/share/locale/", "/etc/localtime", "/etc/timezone"),
    *("/etc/ssl/", "/etc/pki/", "/etc/fonts/", "/etc/mime.types", "/etc/ld.so.", "/etc/passwd"),
    *("/etc/group", "/etc/nsswitch.conf", "/etc/hosts", "/etc/host.conf", "/etc/resolv.conf"),
    *("/var/cache/fontconfig/", "/etc/OpenCL/", "/etc/machine-id"),
)


class Recorder:
    """What one attempt reads. `snapshot` is the directory that it runs from.

    With `importing` it notes what the project's modules read while they are imported. Their code
    is not noted (the fingerprint covers it), nor what packages look at while they load.
    """

    def __init__(
        self, snapshot: str, work: str, allowed: Iterable[str] = (), *, importing: bool = False
    ) -> None:
        self.importing = importing
        self.snapshot = snapshot
        self.inside = snapshot + "/"
        self.work = work
        self.allowed = (*_known_places(), *(_directory(place) for place in allowed), work)
        self.reads: dict[str, None] = {}
        self.impure: dict[str, None] = {}
        self.created: set[str] = set()
        self._worked = False
        self._forked: str | None = None
        self._outer: list[Recorder | None] = []

    def __enter__(self) -> Recorder:
        self._outer.append(state.recorder)
        state.recorder = self
        return self

    def __exit__(self, *_: object) -> None:
        state.recorder = self._outer.pop()

    def allow(self, place: str) -> None:
        """What is at a place, or below it, is an input."""
        self.allowed = (*self.allowed, _directory(place) if os.path.isdir(place) else place)

    def read(self, path: str) -> None:
        """Note a project file (or, ending in `/`, a listing), relative to the snapshot.

        The modules of a notebook's cells are read to say where in it something is: they are code,
        which the fingerprint covers, and their comments change whenever a cell is run.
        """
        if not is_cell_file(path):
            self._note(self.reads, path)

    def outside(self, what: str) -> None:
        """Note a look at the world outside."""
        if not self.importing or self._by_project():
            self._note(self.impure, what)

    def _by_project(self) -> bool:
        """Whether a module of the project asked, not a package that is being imported."""
        frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith(self.inside):
                return True
            if name.startswith("<frozen importlib"):
                return False
            frame = frame.f_back
        return False

    def _note(self, notes: dict[str, None], what: str) -> None:
        if what in notes:
            return
        if len(self.reads) + len(self.impure) >= LIMIT:
            notes, what = self.impure, f"too many different reads (more than {LIMIT})"
        notes[what] = None
        if self._forked is not None:
            line = json.dumps(["read" if notes is self.reads else "impure", what]).encode() + b"\n"
            fd = os.open(self._forked, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
            os.write(fd, line)
            os.close(fd)

    def forked(self) -> None:
        """Go on in a process that the step forked: notes are also left in a file for the parent."""
        self._forked = self._beside()

    def _beside(self) -> str:
        return os.path.dirname(self.work) + "/reads"

    def collect_forked(self) -> None:
        """Take over what forked processes noted."""
        path = self._beside()
        if not os.access(path, os.F_OK):
            return
        with open(path, encoding="utf-8") as file:
            for line in file:
                kind, what = json.loads(line)
                self._note(self.reads if kind == "read" else self.impure, what)
        os.unlink(path)

    def make_work(self) -> None:
        """Make the scratch directory at the first sign that it is wanted."""
        if not self._worked:
            self._worked = True
            os.makedirs(self.work, exist_ok=True)

    def place(self, path: str) -> str | None:
        """The path relative to the snapshot when it is inside, else None."""
        if path.startswith(self.inside):
            return path[len(self.inside) :]
        return "" if path == self.snapshot else None

    def digests(self, manifest: Mapping[str, str]) -> tuple[Read, ...]:
        """The reads with their digests; `manifest` maps each path of the snapshot to a digest."""
        return tuple(
            Read(path=path, digest=digest_in(manifest, path)) for path in sorted(self.reads)
        )


def digest_in(manifest: Mapping[str, str], path: str) -> str:
    """The digest of a project file, or of a listing ("data/"), or "absent" when it is not there.

    `path?` only asks whether it is there: "file", "directory" or "absent". `path!` was read by
    an import, not as data.
    """
    if path.endswith("!"):
        return manifest.get(path[:-1], ABSENT)
    if path.endswith("?"):
        name = path[:-1]
        below = f"{name}/"
        there = "directory" if any(each.startswith(below) for each in manifest) else ABSENT
        return "file" if name in manifest else there
    if path.endswith("/"):
        return listing_digest(manifest, path)
    return manifest.get(path, ABSENT)


def listing_digest(paths: Iterable[str], directory: str) -> str:
    """Digest of the sorted names in `directory` ("data/", or "/" for the root) of a manifest.

    A directory's name ends in `/`. "absent" when nothing lies there.
    """
    prefix = "" if directory == "/" else directory
    names: set[str] = set()
    for path in paths:
        if path.startswith(prefix):
            head, slash, _ = path[len(prefix) :].partition("/")
            names.add(head + slash)
    return digest_of(sorted(names)) if names else ABSENT


class _State:
    __slots__ = ("installed", "own", "recorder")

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.installed = False
        self.own = False  # what this module does for its own ends is nobody's read


state = _State()


def _known_places() -> tuple[str, ...]:
    if not _places:
        roots = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__)}
        roots |= {os.path.realpath(root) for root in roots}
        own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        libraries = {p for p in sys.path if p.endswith(("site-packages", "dist-packages"))}
        _places.extend(_directory(p) for p in sorted({*roots, *libraries, own} - {"/", "/usr"}))
        _places.extend(_SYSTEM)
    return tuple(_places)


_places: list[str] = []


def _directory(path: str) -> str:
    return path if path.endswith("/") else path + "/"
