"""Reads the distributions of `sys.path` and the modules that belong to none."""

from __future__ import annotations

import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import metadata
from urllib.parse import unquote, urlparse

import msgspec
from blake3 import blake3

from mainspring.records.canonical import digest_of
from mainspring.records.source import Distribution, Inventory
from mainspring.storage.tree import SKIPPED, is_inside

CODE = (".py", ".so", ".pyd", ".dll", ".dylib")
OWN = "mainspring"  # the version of the worker's semantics stands for it

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
_FOR_DEVELOPERS = re.compile(
    r"dev|devel|develop(ment)?|tests?|testing|docs?|documentation|lint(ing|er)?|types?|typing|mypy|"
    r"style|format|check|cover(age)?|bench(mark)?s?|examples?|tutorials?|build|release|ci|nox|"
    r"pre.?commit|qa|sphinx|all|full|complete|everything"
)


class _Origin(msgspec.Struct):
    """What is read of `direct_url.json` (PEP 610)."""

    url: str = ""
    dir_info: dict[str, object] = {}


class _Content:
    """Digests the files of things that have no version, and remembers which files those were."""

    def __init__(self) -> None:
        self.sources: list[str] = []

    def digest(self, places: Iterable[str]) -> str:
        """The digest of the code below directories, and of files, with their paths."""
        found: list[tuple[str, str]] = []
        for place in places:
            for path in self._files(place):
                relative = os.path.relpath(path, os.path.dirname(place))
                with suppress(OSError), open(path, "rb") as stream:
                    found.append((relative, blake3(stream.read()).hexdigest()))
        return digest_of(sorted(found)).removeprefix("blake3:")[:16]

    def _files(self, place: str) -> Iterator[str]:
        self.sources.append(place)
        if os.path.isfile(place):
            yield place
            return
        for folder, folders, names in os.walk(place):
            folders[:] = [
                each
                for each in sorted(folders)
                if each not in SKIPPED and not os.path.exists(f"{folder}/{each}/pyvenv.cfg")
            ]
            self.sources.extend(os.path.join(folder, each) for each in folders)
            for name in sorted(names):
                if name.endswith(CODE):
                    self.sources.append(os.path.join(folder, name))
                    yield os.path.join(folder, name)


def take_inventory(searched: list[str], project: str) -> tuple[Inventory, list[str]]:
    """Return what is installed in the directories, and the files that have to be watched.

    `project` is the root of the project (or ""): what lies in it is in the source snapshot.
    """
    content = _Content()
    distributions: dict[str, Distribution] = {}
    provides: dict[str, list[str]] = defaultdict(list)
    for found in metadata.distributions(path=searched):
        headers = _headers(found)
        name = normalised(headers.get("name", [""])[0])
        if not name or name == OWN or name in distributions:
            continue
        editable = _editable_place(found)
        distributions[name] = Distribution(
            name=name,
            version=headers.get("version", [""])[0],
            requires=tuple(sorted(requirements(headers.get("requires-dist", ())))),
            content=_identity(found, editable, project, content),
        )
        for provided in _import_names(found, editable):
            provides[provided].append(name)
    for place in searched:
        for name, path in _loose(place, project):
            if name not in provides and name != OWN:
                known = f"{name} (no distribution)"
                digest = content.digest([path])
                distributions[known] = Distribution(name=known, version="", content=digest)
                provides[name].append(known)
    listed = {name: tuple(sorted(names)) for name, names in sorted(provides.items())}
    return Inventory(distributions=distributions, provides=listed), content.sources


def _headers(found: metadata.Distribution) -> dict[str, list[str]]:
    """The headers of a distribution's metadata, by lower-case name.

    Read by hand: the standard library parses the whole of it as an e-mail, once for each field.
    """
    text = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
    headers: dict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        if not line:
            break
        name, colon, value = line.partition(":")
        if colon and not name.startswith((" ", "\t")):
            headers[name.lower()].append(value.strip())
    return headers


def record(found: metadata.Distribution) -> Iterator[tuple[str, str]]:
    """The rows of a distribution's RECORD: path, and hash (or "").

    Read by hand where no path is quoted: ten times as fast as `Distribution.files`.
    """
    text = found.read_text("RECORD") or ""
    if '"' in text:
        rows: Iterable[list[str]] = csv.reader(text.splitlines())
    else:
        rows = (line.rsplit(",", 2) for line in text.splitlines())
    for row in rows:
        if len(row) == 3:
            yield row[0], row[1]


def normalised(name: str) -> str:
    """A distribution's name as it is compared: `Foo_Bar` and `foo.bar` are `foo-bar`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(texts: Iterable[str]) -> set[str]:
    """The distributions that may be used, if installed: optional ones too, for they are used then
    (pandas computes with numexpr where it finds it), but not what is only for its developers.

    Other markers are not looked at: what they rule out here is seldom installed here.
    """
    names: set[str] = set()
    for text in texts:
        extras = _EXTRA.findall(text.partition(";")[2])
        if extras and all(_FOR_DEVELOPERS.fullmatch(normalised(extra)) for extra in extras):
            continue
        match = _NAME.match(text)
        if match:
            names.add(normalised(match[1]))
    return names - {OWN}


def _identity(found: metadata.Distribution, editable: str, project: str, content: _Content) -> str:
    """A digest of the content where the version does not tell it; or ""."""
    if editable:
        in_snapshot = bool(project) and is_inside(os.path.realpath(editable), [project])
        return "" if in_snapshot else content.digest([editable])
    origin = found.read_text("direct_url.json")
    return (
        digest_of([origin, found.read_text("RECORD")]).removeprefix("blake3:")[:16]
        if origin
        else ""
    )


def _editable_place(found: metadata.Distribution) -> str:
    """The directory of an editable install; or ""."""
    text = found.read_text("direct_url.json")
    try:
        origin = msgspec.json.decode(text or "{}", type=_Origin)
    except msgspec.DecodeError:
        return ""
    return unquote(urlparse(origin.url).path) if origin.dir_info.get("editable") is True else ""


def _import_names(found: metadata.Distribution, editable: str) -> set[str]:
    names = set((found.read_text("top_level.txt") or "").split())
    listed = found.read_text("RECORD") or ""
    for row in listed.splitlines():
        first, _, rest = row.partition(",")[0].strip('"').partition("/")
        if rest and not first.endswith((".dist-info", ".data", ".egg-info")):
            names.add(first)
        elif not rest and first.endswith(CODE):
            names.add(first.partition(".")[0])
    if editable:
        for folder in (editable, os.path.join(editable, "src")):
            names.update(name for name, _ in _loose(folder, ""))
    return {name for name in names if name.isidentifier()}


def _loose(place: str, project: str) -> Iterator[tuple[str, str]]:
    """Modules and packages right in a directory: name and path."""
    try:
        listed = sorted(os.scandir(place), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in listed:
        name = entry.name.partition(".")[0]
        if not name.isidentifier() or entry.name in SKIPPED:
            continue
        if project and is_inside(os.path.realpath(entry.path), [project]):
            continue
        if entry.name.endswith(CODE) or (entry.name == name and _has_code(entry.path)):
            yield name, entry.path


def _has_code(folder: str) -> bool:
    try:
        with os.scandir(folder) as listing:
            return any(entry.name.endswith(CODE) for entry in listing)
    except OSError:
        return False
