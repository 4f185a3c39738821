"""What is installed as a lock: a PEP 751 `pylock.toml` of distributions, without any registry.

An archive's hash is written where it is known; what was installed has a digest of its own in any
case (of the hashes in RECORD), by which an environment that was built from the lock is compared.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec

from mainspring.records.canonical import digest_of
from mainspring.storage.installed import normalised, record
from mainspring.storage.tree import is_inside

MADE = "pylock.toml"
_INSTALLER = frozenset(
    {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json"}
)

Toml = dict[str, "str | bool | dict[str, str]"]


class _Archive(msgspec.Struct):
    hash: str = ""
    hashes: dict[str, str] = {}


class _Vcs(msgspec.Struct):
    vcs: str = ""
    commit_id: str = ""


class _Origin(msgspec.Struct):
    """`direct_url.json` (PEP 610)."""

    url: str = ""
    subdirectory: str = ""
    archive_info: _Archive | None = None
    vcs_info: _Vcs | None = None
    dir_info: dict[str, object] | None = None


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """A lock, and by distribution why it can't bring it back."""

    text: bytes
    unbuildable: dict[str, str]


def pin(versions: Mapping[str, str], project: Path) -> Pinned:
    """Return the lock of these distributions, as they are installed now (see `Inventory.closure`).

    One that is an editable install of the project itself is in the source, and has no entry.
    """
    lines = [
        'lock-version = "1.0"',
        f'requires-python = "=={sys.version_info[0]}.{sys.version_info[1]}.*"',
        'created-by = "mainspring"',
        "packages = []" if not versions else "",
    ]
    unbuildable: dict[str, str] = {}
    for name, version in sorted(versions.items()):
        if " " in name:
            unbuildable[name] = "a module on sys.path that belongs to no distribution"
            continue
        entry, own, why = _entry(name, version, os.path.realpath(project))
        if why:
            unbuildable[name] = why
        if entry:
            lines += ["", "[[packages]]", *_pairs(entry)]
            lines += ["[packages.tool.mainspring]", *_pairs(own)] if own else []
    return Pinned(text="\n".join([*lines, ""]).encode(), unbuildable=unbuildable)


def version_of(name: str) -> str:
    """Return the installed version of a distribution, or ""."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def is_own(name: str, project: Path) -> bool:
    """Whether a distribution is installed from the project's own directory: it is in the source."""
    try:
        origin = _origin(metadata.distribution(name))
    except metadata.PackageNotFoundError:
        return False
    if origin is None or origin.dir_info is None:
        return False
    return is_inside(os.path.realpath(_local(origin.url)), [os.path.realpath(project)])


def recorded(found: metadata.Distribution) -> str:
    """Return a digest of what was installed of a wheel: of the hashes in its RECORD.

    Left out are what the installer adds, and programs, whose first line is the machine's.
    """
    rows: list[tuple[str, str]] = []
    for path, hashed in record(found):
        first, _, rest = path.partition("/")
        installers = first.endswith(".dist-info") and rest in _INSTALLER
        if hashed and first != ".." and not installers:
            rows.append((path, hashed))
    return digest_of(sorted(rows))


def differing(text: bytes, places: Iterable[Path]) -> list[str]:
    """Return the names of distributions of a lock that `pin` made which, in these folders, are
    not there or not what was installed then."""
    import tomllib

    there = {
        normalised(found.metadata["Name"] or ""): found
        for found in metadata.distributions(path=[str(place) for place in places])
    }
    wrong: list[str] = []
    for package in tomllib.loads(text.decode()).get("packages", []):
        name, found = package["name"], there.get(package["name"])
        wanted = package.get("tool", {}).get("mainspring", {}).get("record", "")
        other = found is None or found.version != package["version"]
        if other or (wanted and recorded(there[name]) != wanted):
            wrong.append(name)
    return wrong


def _entry(name: str, version: str, project: str) -> tuple[Toml, Toml, str]:
    """A package's table, its own table in `tool`, and why it can't be brought back (or "")."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return {"name": name, "version": version}, {}, "it is no longer installed"
    content = version.removeprefix(found.version).lstrip("+")
    entry: Toml = {"name": name, "version": found.version}
    origin = _origin(found)
    if origin is None:
        return entry, {"record": recorded(found)}, ""
    if origin.dir_info is not None:
        place = os.path.realpath(_local(origin.url))
        if is_inside(place, [project]):
            return {}, {}, ""
        if origin.dir_info.get("editable") is True:
            own: Toml = {"editable": True, "content": content}
            return entry, own, "an editable install from outside of the project"
        return entry, {"record": recorded(found)}, "it was installed from a local directory"
    return _direct(entry, origin, found)


def _direct(entry: Toml, origin: _Origin, found: metadata.Distribution) -> tuple[Toml, Toml, str]:
    url = without_credentials(origin.url)
    own: Toml = {"record": recorded(found)}
    below: dict[str, str] = {"subdirectory": origin.subdirectory} if origin.subdirectory else {}
    if origin.vcs_info is not None:
        vcs = {"type": origin.vcs_info.vcs, "url": url, "commit-id": origin.vcs_info.commit_id}
        return {**entry, "vcs": {**vcs, **below}}, own, ""
    hashes = _hashes(origin.archive_info)
    if url.startswith("file:"):
        # The file's path means nothing elsewhere; its name is that of a wheel of this version.
        own |= {"archive": url.rpartition("/")[2], **{f"archive-{k}": v for k, v in hashes.items()}}
        return entry, own, ""
    archive = {"url": url, **below, **{f"hashes.{name}": value for name, value in hashes.items()}}
    return {**entry, "archive": archive}, own, ""


def _hashes(archive: _Archive | None) -> dict[str, str]:
    if archive is None:
        return {}
    name, _, value = archive.hash.partition("=")
    return {**({name: value} if value else {}), **archive.hashes}


def without_credentials(url: str) -> str:
    """A URL without a user, a password, and a query (which may have a signature in it)."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _origin(found: metadata.Distribution) -> _Origin | None:
    text = found.read_text("direct_url.json")
    try:
        return msgspec.json.decode(text, type=_Origin) if text else None
    except msgspec.DecodeError:
        return None


def _local(url: str) -> str:
    from urllib.request import url2pathname

    return url2pathname(urlsplit(url).path)


def _pairs(table: Toml) -> list[str]:
    return [f"{name} = {_value(value)}" for name, value in table.items()]


def _value(value: str | bool | dict[str, str]) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(item)}" for name, item in value.items()) + " }"
    return json.dumps(value)
