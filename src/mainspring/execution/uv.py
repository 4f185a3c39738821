"""Calls uv, which makes environments: what it says when it fails is one clear message.

Which registries it asks, and with which credentials, is the user's own configuration of uv (its
files and `UV_*` variables); Mainspring adds none and records none.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from mainspring.records.errors import EnvironmentBuildError

_LAST_LINES = 12
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*@")
_OFFLINE = "UV_OFFLINE"
_OURS = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV_PROJECT_ENVIRONMENT", "UV_SYSTEM_PYTHON")
"""Variables that would make uv look at another environment than the one that it is to make."""


class Uv:
    """The program uv at a path."""

    def __init__(self, program: str) -> None:
        self.program = program

    @classmethod
    def find(cls) -> Uv:
        """Find uv on PATH, or in the Python package of that name. Raises EnvironmentBuildError."""
        found = shutil.which("uv") or _packaged()
        if found is None:
            raise EnvironmentBuildError(
                "environments are built by uv, and there is none on PATH",
                hint='`pip install "mainspring[environments]"`',
            )
        return cls(found)

    def run(
        self,
        words: Sequence[str],
        *,
        folder: Path | None = None,
        what: str = "",
        more: Mapping[str, str] = {},
    ) -> str:
        """Run uv, from its own cache if that has all, else with the network; what it printed.

        `more` are environment variables. Raises EnvironmentBuildError with its last lines.
        """
        done = self._call(words, folder, more, offline=True)
        if done.returncode and not os.environ.get(_OFFLINE):
            done = self._call(words, folder, more, offline=False)
        if done.returncode:
            raise EnvironmentBuildError(
                f"{what or 'the environment'} can't be built: {_told(done.stderr)}",
                hint=_hint(done.stderr),
            )
        return done.stdout

    def install(self, python: Path, requirements: Sequence[str], *, target: Path) -> None:
        """Install distributions, and nothing that they need, into a folder for a Python."""
        self.run(
            ["pip", "install", "--no-deps", "--python", str(python), "--target", str(target),
             *requirements],
            what="the folder of what workers need",
        )  # fmt: skip

    def _call(
        self, words: Sequence[str], folder: Path | None, more: Mapping[str, str], *, offline: bool
    ) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if k not in _OURS}
        environment |= more
        command = [self.program, *(["--offline"] if offline else []), "--no-progress", *words]
        return subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", check=False,
        )  # fmt: skip


def _packaged() -> str | None:
    """The program in the package `uv`, if that is installed: its folder need not be on PATH."""
    try:
        return str(importlib.import_module("uv").find_uv_bin())
    except (ImportError, FileNotFoundError):
        return None


def _told(text: str) -> str:
    """The last lines of what uv said, without credentials and without what is only progress."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    first = next((i for i, line in enumerate(lines) if line.lstrip(" ×").startswith("error")), 0)
    kept = lines[first:][-_LAST_LINES:] or ["uv does not say why"]
    return _CREDENTIALS.sub("", "\n".join(kept))


def _hint(text: str) -> str | None:
    if "Network connectivity is disabled" in text:
        return "UV_OFFLINE is set, and uv's package cache does not have it all"
    return None
