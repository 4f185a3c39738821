"""Reads locks: which file of a folder is one, of which kind, and what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from mainspring.records.environments import Lock, LockKind
from mainspring.records.errors import DefinitionError

LARGEST = 50 << 20  # bytes of a lock

_PYLOCK = re.compile(r"pylock(\.[^.]+)?\.toml")
_TEXTS = (".txt", ".lock")
_FOUND = re.compile(
    r"pylock\.[^.]+\.toml|requirements[\w.-]*\.(lock|txt)|(conda|explicit)[\w.-]*\.(lock|txt)|"
    r"environment\.ya?ml"
)
_ORDER = ("uv.lock", "pylock.toml", "requirements.lock", "requirements.txt", "renv.lock")
_BESIDE = ("pyproject.toml", ".python-version", "uv.toml")
_EXPLICIT = "@EXPLICIT"
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*")
_PINNED = re.compile(r"===?\s*([^\s;,*]+)\s*(;.*)?")
_OPTIONS = (
    *("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index"),
    *("--require-hashes", "--only-binary", "--no-binary", "--prefer-binary", "--trusted-host"),
)
_SOURCES = ("wheels", "sdist", "archive", "vcs", "directory")
_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|~=|<|>)\s*(\d+)(?:\.(\d+))?(?:\.([\d.*]+))?\s*")

Minor = tuple[int, int]


def is_lock(name: str) -> bool:
    """Whether a file with that name is taken for a lock (anything else for a Dockerfile)."""
    name = name.rpartition("/")[2]
    return (
        name in (*_ORDER, "environment.yml", "environment.yaml")
        or bool(_PYLOCK.fullmatch(name))
        or name.endswith(_TEXTS)
    )


def find(files: Mapping[str, object], folder: str) -> str | None:
    """Return the path of the lock in a folder of the project ("" is its root), if there is one.

    The first of uv.lock, pylock.toml, requirements.lock, requirements.txt, renv.lock; then of
    `pylock.*.toml`, `requirements*`, `conda*` and `explicit*` (.lock or .txt), environment.yml.
    """
    prefix = f"{folder}/" if folder else ""
    names = sorted(
        path.removeprefix(prefix)
        for path in files
        if path.startswith(prefix) and "/" not in path.removeprefix(prefix)
    )
    wanted = [name for name in _ORDER if name in names]
    wanted += [name for name in names if _FOUND.fullmatch(name)]
    return prefix + wanted[0] if wanted else None


def read(
    files: Mapping[str, str],
    content: Callable[[str], bytes],
    path: str,
    *,
    running: Minor,
) -> Lock:
    """Return the lock at a path of the project, or in the folder of that path.

    `files` maps paths to digests, `content` gives what a file holds, `running` is the minor
    version of Python to prefer. Raises DefinitionError, with what is wrong with it.
    """
    found = path if path in files else find(files, path)
    if found is None:
        raise DefinitionError(
            "there is no lock in it",
            where=path,
            hint="an environment is a folder with uv.lock and pyproject.toml, pylock.toml, "
            "requirements.txt with hashes, or renv.lock; or the path of such a file",
        )
    data = content(found)
    if len(data) > LARGEST:
        raise _fault(found, f"{len(data) / 1e6:.0f} MB is too much for a lock")
    kind = kind_of(found, data)
    says = check(kind, data, found)
    folder, _, name = found.rpartition("/")
    beside = _beside(files, folder, kind)
    beside |= _archives(files, folder, says) if kind == "pylock" else {}
    if kind == "uv" and "pyproject.toml" not in beside:
        raise _fault(found, "a uv.lock needs its pyproject.toml beside it")
    python = "" if kind in ("renv", "conda") else _python(beside, content, folder, says, running)
    listed = {name: files[found], **beside}
    return Lock(kind=kind, main=name, files=listed, path=found, python=python)


def kind_of(path: str, data: bytes) -> LockKind:
    """Return what kind of lock a file is, by its name and what it begins with."""
    name = path.rpartition("/")[2]
    if name == "uv.lock":
        return "uv"
    if name == "renv.lock":
        return "renv"
    if _PYLOCK.fullmatch(name):
        return "pylock"
    if name.endswith((".yml", ".yaml")):
        raise _fault(
            path,
            "it says what is wanted, not what was installed",
            "put an explicit lock beside it: `conda list --explicit --md5 > conda.lock`",
        )
    return "conda" if _EXPLICIT.encode() in data else "requirements"


def check(kind: LockKind, data: bytes, path: str) -> dict[str, Any]:
    """Return what a lock says, as far as that is read here. Raises DefinitionError."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _fault(path, "it is no text") from None
    return _CHECKS[kind](text, path)


def pins(kind: LockKind, data: bytes, path: str) -> dict[str, set[str]]:
    """Return which versions of each distribution a lock of Python packages allows."""
    found: dict[str, set[str]] = {}
    for entry in check(kind, data, path)["packages"]:
        name = re.sub(r"[-_.]+", "-", str(entry["name"])).lower()
        found.setdefault(name, set()).add(str(entry.get("version", "")))
    return found


def _toml(text: str, path: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _fault(path, f"it is no TOML: {error}") from None


def _check_uv(text: str, path: str) -> dict[str, Any]:
    found = _toml(text, path)
    if found.get("version") != 1:
        raise _fault(path, f"its version is {found.get('version')!r}, and 1 is known")
    return {**found, "packages": _listed(found.get("package", []), path)}


def _check_pylock(text: str, path: str) -> dict[str, Any]:
    found = _toml(text, path)
    version = found.get("lock-version")
    if not isinstance(version, str) or not version.startswith("1."):
        raise _fault(path, f"its lock-version is {version!r}, and 1.0 is known")
    packages = _listed(found.get("packages", []), path)
    for package in packages:
        if not any(source in package for source in _SOURCES):
            raise _fault(path, f"{package['name']} has no wheels, sdist, archive, vcs or directory")
    return {**found, "packages": packages}


def _check_made(text: str, path: str) -> dict[str, Any]:
    found = _toml(text, path)
    return {**found, "packages": _listed(found.get("packages", []), path)}


def _listed(packages: Any, path: str) -> list[dict[str, Any]]:
    entries = cast("list[Any]", packages) if isinstance(packages, list) else [None]
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):  # pyright: ignore[reportUnknownMemberType]
            raise _fault(path, "it lists a package without a name")
    return cast("list[dict[str, Any]]", entries)


def _check_requirements(text: str, path: str) -> dict[str, Any]:
    packages: list[dict[str, Any]] = []
    for number, line in _logical(text):
        if line.startswith("-"):
            word = re.split(r"[\s=]", line, maxsplit=1)[0]
            if word not in _OPTIONS:
                raise _fault(f"{path}:{number}", f"`{word}` has no place in a lock")
            continue
        packages.append(_requirement(line, f"{path}:{number}"))
    return {"packages": packages}


def _requirement(line: str, where: str) -> dict[str, Any]:
    match = _NAME.match(line)
    if match is None:
        raise _fault(where, "this is no requirement")
    name, rest = match[1], line[match.end() :]
    asked, _, hashes = rest.partition("--hash")
    if not hashes:
        raise _fault(where, f"{name} has no hash", _HASHES)
    pinned = _PINNED.fullmatch(asked.strip())
    if pinned is None and not asked.strip().startswith("@"):
        raise _fault(where, f"{name} is not pinned to one version", _HASHES)
    return {"name": name, "version": pinned[1] if pinned else ""}


_HASHES = "`uv pip compile --generate-hashes` writes a lock with versions and hashes"


def _logical(text: str) -> list[tuple[int, str]]:
    """Lines without comments, joined where they end in a backslash, with their numbers."""
    found: list[tuple[int, str]] = []
    start, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        start = start if parts else number
        bare = re.sub(r"(^|\s)#.*", "", line).rstrip()
        parts.append(bare.removesuffix("\\").strip())
        if not bare.endswith("\\"):
            joined = " ".join(parts).strip()
            parts = []
            if joined:
                found.append((start, joined))
    return found


def _check_conda(text: str, path: str) -> dict[str, Any]:
    packages: list[dict[str, Any]] = []
    for number, line in _logical(text):
        if line == _EXPLICIT:
            continue
        name = line.partition("#")[0].rpartition("/")[2]
        parts = name.rsplit("-", 2)
        if "://" not in line or len(parts) != 3:
            raise _fault(f"{path}:{number}", "this is no URL of a package")
        packages.append({"name": parts[0], "version": parts[1], "url": line})
    return {"packages": packages}


def _check_renv(text: str, path: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        packages = found["Packages"]
        listed = [
            {"name": str(entry["Package"]), "version": str(entry["Version"])}
            for entry in packages.values()
        ]
        return {"R": str(found["R"]["Version"]), "packages": listed}
    except (ValueError, RecursionError) as error:
        raise _fault(path, f"it is no JSON: {error}") from None
    except (KeyError, TypeError, AttributeError):
        raise _fault(path, "it has not R.Version, and Packages with Package and Version") from None


_CHECKS: dict[LockKind, Callable[[str, str], dict[str, Any]]] = {
    "uv": _check_uv,
    "pylock": _check_pylock,
    "requirements": _check_requirements,
    "made": _check_made,
    "conda": _check_conda,
    "renv": _check_renv,
}


def _beside(files: Mapping[str, str], folder: str, kind: LockKind) -> dict[str, str]:
    """What is needed to read the lock: for uv also each pyproject.toml of its workspace."""
    prefix = f"{folder}/" if folder else ""
    if kind == "uv":
        inner = "/pyproject.toml"
        wanted = [path for path in files if path.startswith(prefix) and path.endswith(inner)]
        wanted += [prefix + name for name in _BESIDE]
    else:
        wanted = [prefix + ".python-version"] if kind in ("pylock", "requirements") else []
    return {p.removeprefix(prefix): files[p] for p in sorted(set(wanted)) if p in files}


def _archives(files: Mapping[str, str], folder: str, says: Mapping[str, Any]) -> dict[str, str]:
    """Archives of a pylock.toml that are files of the project."""
    found: dict[str, str] = {}
    for package in says["packages"]:
        sources = [*package.get("wheels", []), package.get("sdist"), package.get("archive")]
        for path in [str(one["path"]) for one in sources if one and "path" in one]:
            inside = f"{folder}/{path}" if folder else path
            if inside in files:
                found[path] = files[inside]
    return found


def _python(
    beside: Mapping[str, str],
    content: Callable[[str], bytes],
    folder: str,
    says: Mapping[str, Any],
    running: Minor,
) -> str:
    prefix = f"{folder}/" if folder else ""
    if ".python-version" in beside:
        path = f"{prefix}.python-version"
        first = content(path).decode("utf-8", "replace").split()
        match = re.fullmatch(r"(?:cpython-?)?(3\.\d+)(?:\.\d+)?", first[0] if first else "")
        if match is None:
            raise _fault(path, "it names no version of Python such as 3.12")
        return match[1]
    wanted = str(says.get("requires-python", ""))
    newer = [(3, minor) for minor in range(11, 30)]
    for minor in (running, *newer):
        if allows(wanted, minor):
            return f"{minor[0]}.{minor[1]}"
    where = f"{prefix}{says.get('name', '')}".rstrip("/") or "the lock"
    raise _fault(where, f"it wants Python {wanted}, and workers need 3.11 or later")


def allows(wanted: str, minor: Minor) -> bool:
    """Whether some patch release of a minor version fits a `requires-python`."""
    return all(_fits(clause, minor) for clause in wanted.split(",") if clause.strip())


def _fits(clause: str, minor: Minor) -> bool:
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        return True  # uv knows better, and says so
    sign, major, second, patch = match[1], int(match[2]), match[3], match[4]
    if second is None:
        second = "0"
        minor = minor if sign in ("<", ">", ">=", "<=") else (minor[0], 0)
    bound = (major, int(second))
    precise = patch not in (None, "*")
    if sign == "~=":
        return minor == bound if precise else minor >= bound and minor[0] == major
    return {
        ">=": minor >= bound,
        ">": minor >= bound if precise else minor > bound,
        "<": minor <= bound if precise and patch != "0" else minor < bound,
        "<=": minor <= bound,
        "==": minor == bound,
        "!=": minor != bound or precise,
    }[sign]


def _fault(where: str, what: str, hint: str | None = None) -> DefinitionError:
    return DefinitionError(what, where=where, hint=hint)
