"""Environments built from locks, one for each content: whoever needs one builds it, all find it.

An environment is made under a name of its own and renamed when it is complete, under a lock that
the kernel drops with its holder: two builders at once make one, and one that is killed leaves
nothing that counts. See docs/decisions/0021-environments.md.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mainspring.execution.container_engine import alone
from mainspring.execution.interpreters import activated
from mainspring.execution.uv import Uv
from mainspring.planning import locks
from mainspring.records.canonical import digest_of
from mainspring.records.environments import Lock
from mainspring.records.errors import EnvironmentBuildError
from mainspring.storage.environment import platform_key
from mainspring.storage.pins import differing

FOLDER = "environments"
_BUILT = "built.json"
_PROFILE = "profile.R"
_OWN_LIBRARY = '.libPaths(Sys.getenv("R_LIBS"), include.site = FALSE)\n'
"""What else is installed on the machine for R is not seen."""

_R_SCRIPT = Path(__file__).with_name("restore.R")


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What says that an environment is complete: its lock, and where it was built from."""

    lock: Lock
    platform: str


class Environments:
    """The environments of a project's home; `read` gives a blob's content by its digest."""

    def __init__(self, home: Path, read: Callable[[str], bytes]) -> None:
        self._home = home
        self._read = read

    def place(self, lock: Lock) -> Path:
        """The folder of the environment, whether it is there or not."""
        what = digest_of([lock.digest, _platform(lock)])
        return self._home / FOLDER / f"{lock.kind}-{what[7:31]}"

    def ready(self, lock: Lock) -> bool:
        """Whether the environment is there."""
        return (self.place(lock) / _BUILT).is_file()

    def build(self, lock: Lock) -> Path:
        """Return the environment's Python (for R, its library), built if need be.

        Raises EnvironmentBuildError.
        """
        place = self.place(lock)
        if not self.ready(lock):
            place.parent.mkdir(parents=True, exist_ok=True)
            with alone(place.with_name(f".{place.name}.lock")):
                if not self.ready(lock):
                    self._build(lock, place)
        return entry(lock, place)

    def _build(self, lock: Lock, place: Path) -> None:
        for left in place.parent.glob(f".{place.name}-*"):  # of builders that were killed
            shutil.rmtree(left, ignore_errors=True)
        shutil.rmtree(place, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        try:
            files = draft / "lock"
            for name, digest in lock.files.items():
                target = files / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self._read(digest))
            _MAKERS[lock.kind](lock, draft)
            built = msgspec.json.encode(Built(lock=lock, platform=_platform(lock)))
            (draft / _BUILT).write_bytes(built)
            draft.chmod(0o755)
            draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def entry(lock: Lock, place: Path) -> Path:
    """The Python of an environment in a folder; for R, its library."""
    return place / "library" if lock.kind == "renv" else place / "env" / "bin" / "python"


def variables(lock: Lock, place: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables by which a program finds the environment in a folder."""
    found = entry(lock, place)
    if lock.kind != "renv":
        return activated(str(found), environment)
    nothing = ("R_PROFILE_USER", "R_ENVIRON_USER", "R_LIBS_USER")
    profile = str(place / _PROFILE)
    return {"R_LIBS": str(found), "R_PROFILE": profile, **dict.fromkeys(nothing, os.devnull)}


def _platform(lock: Lock) -> str:
    return platform_key(lock.python or None)


def _named(lock: Lock) -> str:
    return f"the environment of {lock.path or lock.main}"


# Python, by uv


def _venv(lock: Lock, draft: Path) -> Path:
    """An empty environment, with the very interpreter that runs now if its version fits."""
    running = "{}.{}".format(*sys.version_info)
    own = str(getattr(sys, "_base_executable", None) or sys.executable)
    wanted = own if lock.python == running else lock.python
    words = ["venv", "--relocatable", "--no-project", "--python", wanted, str(draft / "env")]
    Uv.find().run(words, folder=draft.parent, what=_named(lock))
    return draft / "env" / "bin" / "python"


def _sync(lock: Lock, python: Path, file: Path) -> None:
    words = ["pip", "sync", "--allow-empty-requirements", "--preview-features", "pylock"]
    # Not in the lock's folder: a `.python-version` there would choose the uv of a version manager.
    folder = file.parent.parent.parent
    Uv.find().run([*words, "--python", str(python), str(file)], folder=folder, what=_named(lock))


def _make_pinned(lock: Lock, draft: Path) -> None:
    _sync(lock, _venv(lock, draft), draft / "lock" / lock.main)


def _make_uv(lock: Lock, draft: Path) -> None:
    _venv(lock, draft)
    folder = draft / "lock"
    text = (folder / "pyproject.toml").read_text("utf-8", "replace")
    # Extras that exclude each other can't all be there: then none is.
    extras = [] if re.search(r"^\s*conflicts\s*=", text, re.M) else ["--all-extras"]
    words = ["sync", "--frozen", "--no-install-project", "--no-install-workspace", *extras]
    Uv.find().run(
        [*words, "--project", str(folder)], folder=draft.parent, what=_named(lock),
        more={"UV_PROJECT_ENVIRONMENT": str(draft / "env")},
    )  # fmt: skip


def _make_made(lock: Lock, draft: Path) -> None:
    text = (draft / "lock" / lock.main).read_bytes()
    packages = locks.check("made", text, lock.main)["packages"]
    file = draft / "lock" / "requirements.txt"
    file.write_text("".join(f"{line}\n" for line in _requirements(packages)), encoding="utf-8")
    python = _venv(lock, draft)
    _sync(lock, python, file)
    wrong = differing(text, python.parent.parent.glob("lib/python*/site-packages"))
    if wrong:
        raise EnvironmentBuildError(
            f"{_named(lock)} can't be built: what was installed of {', '.join(wrong)} is not what "
            "was recorded",
            hint="the archive has changed, or it was built from source on another system",
        )


def _requirements(packages: list[dict[str, Any]]) -> Iterator[str]:
    """The packages of a lock that was made, as uv reads them."""
    for package in packages:
        name, own = package["name"], package.get("tool", {}).get("mainspring", {})
        if own.get("editable"):
            raise EnvironmentBuildError(
                f"{name} was an editable install from outside of the project: no lock can bring "
                "it back",
                hint="install it from a package, or make it part of the project",
            )
        source = package.get("archive") or package.get("vcs")
        if source is None:
            sums = [own[key] for key in own if key == "archive-sha256"]
            yield f"{name}=={package['version']}{''.join(f' --hash=sha256:{s}' for s in sums)}"
            continue
        below = f"#subdirectory={source['subdirectory']}" if "subdirectory" in source else ""
        if "vcs" in package:
            yield f"{name} @ {source['type']}+{source['url']}@{source['commit-id']}{below}"
        else:
            sha256 = source.get("hashes", {}).get("sha256")
            yield f"{name} @ {source['url']}{below}{f' --hash=sha256:{sha256}' if sha256 else ''}"


# Other languages


def _make_r(lock: Lock, draft: Path) -> None:
    program = shutil.which("Rscript")
    if program is None:
        raise EnvironmentBuildError(f"{_named(lock)} needs R, and there is no Rscript on PATH")
    file = draft / "lock" / lock.main
    (draft / _PROFILE).write_text(_OWN_LIBRARY, encoding="utf-8")
    says = locks.check("renv", file.read_bytes(), lock.path or lock.main)
    _check_r(program, says["R"], lock)
    pins = [f"{package['name']}={package['version']}" for package in says["packages"]]
    words = [program, "--no-init-file", str(_R_SCRIPT), str(draft / "library"), str(file), *pins]
    done = _call(words)
    if done.returncode or done.stdout.strip():
        told = (done.stdout.strip() or done.stderr.strip()).splitlines()[-12:]
        raise EnvironmentBuildError(
            "\n".join([f"{_named(lock)} can't be built:", *told]),
            hint="install the package renv in R: it fetches other versions",
        )


def _check_r(program: str, wanted: str, lock: Lock) -> None:
    there = _call([program, "-e", "cat(as.character(getRversion()))"]).stdout.strip()
    if there.split(".")[:2] != wanted.split(".")[:2]:
        raise EnvironmentBuildError(f"{_named(lock)} is for R {wanted}, and there is R {there}")


def _call(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
        check=False,
    )  # fmt: skip


def _make_conda(lock: Lock, _draft: Path) -> None:
    raise EnvironmentBuildError(
        f"{_named(lock)} can't be built: conda packages are recorded, not installed",
        hint="put a uv.lock, pylock.toml or requirements.txt with hashes beside it",
    )


_MAKERS: dict[str, Callable[[Lock, Path], None]] = {
    "uv": _make_uv,
    "pylock": _make_pinned,
    "requirements": _make_pinned,
    "made": _make_made,
    "renv": _make_r,
    "conda": _make_conda,
}
