"""The Python that workers are started with: this one, or that of another environment.

An interpreter of another environment is given two folders: one that has only this package, first
on its path (the two sides of a socket must be of one version), and one with the few distributions
that a worker imports, last, where they shadow nothing. They are made by `execution/runtime.py`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

from mainspring.execution import isolation

LAST: list[str] = []
"""What this process was given to put last on its path; its own children get it too."""

_TAKE = (
    "import sys; last = sys.argv[1:]; del sys.argv[1:]; sys.path += last; "
    "from mainspring.execution import interpreters; interpreters.LAST += last; "
)


class Interpreter(NamedTuple):
    """A Python to start workers with: `first` is put before its own path, `last` behind it."""

    python: str
    first: str
    last: tuple[str, ...] = ()

    def command(self, module: str) -> list[str]:
        """The command line of a fresh interpreter that runs `main` of a module of Mainspring."""
        return _words(self.python, module, self.last)

    def environment(self, source: Mapping[str, str]) -> dict[str, str]:
        """The environment variables that it starts with (see `isolation`)."""
        found = isolation.bootstrap_environment(source)
        found["PYTHONPATH"] = self.first
        return {**found, **activated(self.python, found)} if self.last else found


def own() -> Interpreter:
    """The Python that runs now."""
    return Interpreter(sys.executable, isolation.package_folder())


def successor(module: str) -> list[str]:
    """The command line of a fresh interpreter of the environment that this process runs in."""
    return _words(sys.executable, module, tuple(LAST))


def activated(python: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables by which programs find the environment that a Python belongs to."""
    folder = os.path.dirname(python)
    found = {"PATH": os.pathsep.join([folder, *filter(None, [environment.get("PATH", "")])])}
    prefix = os.path.dirname(folder)
    if os.path.isfile(os.path.join(prefix, "pyvenv.cfg")):
        found["VIRTUAL_ENV"] = prefix
    return found


def _words(python: str, module: str, last: tuple[str, ...]) -> list[str]:
    take = _TAKE if last else ""
    return [python, "-P", "-c", f"{take}from {module} import main; main()", *last]
