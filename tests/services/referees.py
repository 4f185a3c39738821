"""Programs of others that judge our capsules, in an environment of their own.

roc-validator (of the RO-Crate community) for the crate; securesystemslib and in-toto-attestation
for the signature and the statement. They are no dependencies of ours: they bring fifty packages.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

SCRIPTS = Path(__file__).parent / "referee_scripts"
PACKAGES = (
    "roc-validator==0.13.0",
    "in-toto-attestation==0.9.3",
    "securesystemslib[crypto]==1.6.0",
)
CONTEXT = "rocrate==0.14.0"
"""The last version that has RO-Crate 1.1's context with it, so that no web site is asked."""


class Referees(NamedTuple):
    """Where they are."""

    python: Path
    context: Path

    def _run(self, script: str, *arguments: object) -> str:
        done = subprocess.run(
            [self.python, SCRIPTS / script, *map(str, arguments)],
            capture_output=True, text=True, check=False, timeout=110,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def crate(self, capsule: Path, profile: str) -> str:
        """What roc-validator says of a crate; fails the test if that is against it."""
        return self._run("crate.py", self.context, capsule, profile)

    def seal(self, capsule: Path) -> str:
        """What is in the envelope, once its signature and statement were found sound."""
        return self._run("seal.py", capsule)


def install(place: Path) -> Referees | None:
    """Make the environment; None where packages can't be had."""
    target = place / "context"
    python = place / "env" / "bin" / "python"
    made = (
        _run(*_venv(place / "env"))
        and _run(*_pip(python), *PACKAGES)
        and _run(*_pip(python), "--no-deps", "--target", str(target), CONTEXT)
    )
    return Referees(python, target / "rocrate" / "data" / "ro-crate.jsonld") if made else None


@cache
def _uv() -> str | None:
    return shutil.which("uv")


def _venv(place: Path) -> list[str]:
    uv = _uv()
    if uv:
        return [uv, "venv", "-q", "--python", sys.executable, str(place)]
    return [sys.executable, "-m", "venv", str(place)]


def _pip(python: Path) -> list[str]:
    uv = _uv()
    if uv:
        return [uv, "pip", "install", "-q", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "-q"]


def _run(*command: str) -> bool:
    done = subprocess.run(command, capture_output=True, check=False, timeout=110)
    return done.returncode == 0
