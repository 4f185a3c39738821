"""Makes another Python fit to run workers, without changing what it imports.

See docs/decisions/0021-environments.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from mainspring.execution import isolation
from mainspring.execution.interpreters import Interpreter, own
from mainspring.execution.uv import Uv
from mainspring.records.canonical import digest_of
from mainspring.records.errors import EnvironmentBuildError

NEEDED = ("blake3", "msgspec")
"""Distributions that every worker imports. (`typing_extensions` of blake3 is optional.)"""

REMOTE = ("obstore",)
"""Those that it imports where values are in a bucket."""

OLDEST = (3, 11)
_ASK = (
    "import sys,sysconfig,os;"
    "print(*sys.version_info[:3],sys.implementation.cache_tag,sysconfig.get_config_var('EXT_SUFFIX'))"
)
_PATIENCE = 60.0


def prepared(python: Path, home: Path, *, remote: bool = False) -> Interpreter:
    """Return another Python, made fit to run workers from the home of a project.

    Raises EnvironmentBuildError when it can't be started, is too old, or what a worker needs
    can't be installed for it.
    """
    if os.path.abspath(python) == os.path.abspath(sys.executable):
        return own()
    version, tag = ask(python)
    if version[:2] < OLDEST:
        raise EnvironmentBuildError(
            f"the environment has Python {'.'.join(map(str, version))}",
            where=str(python),
            hint=f"Mainspring's workers need {'.'.join(map(str, OLDEST))} or later",
        )
    names = (*NEEDED, *(REMOTE if remote else ()))
    place = _runtime(home, python, names, tag)
    return Interpreter(str(python), str(place / "first"), (str(place / "last/site-packages"),))


def ask(python: Path) -> tuple[tuple[int, ...], str]:
    """Return the version of a Python, and the tag of the compiled modules that it can load."""
    try:
        done = subprocess.run(
            [str(python), "-I", "-S", "-c", _ASK],
            capture_output=True, text=True, timeout=_PATIENCE, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        *version, tag, suffix = done.stdout.split()
        return tuple(map(int, version)), f"{tag} {suffix}"
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise EnvironmentBuildError(
            f"no Python can be started there: {error}", where=str(python)
        ) from None


def _own_tag() -> str:
    import sysconfig

    return f"{sys.implementation.cache_tag} {sysconfig.get_config_var('EXT_SUFFIX')}"


def _runtime(home: Path, python: Path, names: Iterable[str], tag: str) -> Path:
    """The two folders, made once for a version of Mainspring and of each distribution."""
    wanted = {name: _version(name) for name in names}
    package = Path(isolation.package_folder(), "mainspring")
    digest = digest_of([str(package), wanted, tag, _stamps(wanted)])
    place = home / "cache" / "runtime" / digest.partition(":")[2][:16]
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
    try:
        (draft / "first").mkdir()
        (draft / "first" / "mainspring").symlink_to(package)
        target = draft / "last" / "site-packages"
        target.mkdir(parents=True)
        if tag == _own_tag():
            for name in wanted:
                _copy(name, target)
        else:
            pins = [f"{name}=={version}" for name, version in wanted.items()]
            Uv.find().install(python, pins, target=target)
        with suppress(FileExistsError, OSError):  # somebody else may have been faster
            draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        raise EnvironmentBuildError(
            f"{name} is not installed here, and workers need it",
            hint='`pip install "mainspring[cloud]"`' if name in REMOTE else None,
        ) from None


def _stamps(names: Iterable[str]) -> list[tuple[str, float]]:
    """Where the distributions are installed, and since when: another one of the same version is
    copied anew."""
    found: list[tuple[str, float]] = []
    for name in names:
        record = metadata.distribution(name).locate_file("")
        found.append((str(record), os.stat(str(record)).st_ctime))
    return found


def _copy(name: str, target: Path) -> None:
    """Copy the files of a distribution of this Python, but not its programs."""
    for file in metadata.distribution(name).files or ():
        if file.parts[0] == ".." or "__pycache__" in file.parts:
            continue
        place = target.joinpath(*file.parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(str(file.locate()), place)
