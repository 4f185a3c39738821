"""How the code of a notebook's cells lies in a snapshot, and which cell a line of it came from.

A step that is defined in a cell has no file. The definitions that it reaches become modules of
the package `__notebook__` in the run's snapshot, one for each name, so that a step depends on what
it reaches and on nothing else of the notebook. A marker comment above each piece of code says
where it stood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

PACKAGE = "__notebook__"
SUFFIX = ".ipynb"

_MARKER = re.compile(r"#: (.+), line (\d+)\s*")


def is_notebook(uses: str) -> bool:
    """Whether a step is a whole notebook: `uses` names its file, not `module:name`."""
    return uses.endswith(SUFFIX)


def module_of(name: str) -> str:
    """The module that holds what a notebook's global name stands for."""
    return f"{PACKAGE}.{name}"


def is_cell(module: str) -> bool:
    """Whether a module was made of a notebook's cells."""
    return module == PACKAGE or module.startswith(PACKAGE + ".")


def is_cell_file(path: str) -> bool:
    """Whether a path, relative to the snapshot, is a module made of cells."""
    return path.startswith(PACKAGE + "/")


def marker(label: str, line: int) -> str:
    """The comment that says where the code below it stood: the cell, the line there."""
    return f"#: {label}, line {line}"


def place(lines: Sequence[str], line: int) -> tuple[str, int] | None:
    """The cell, and the line in it, that line number `line` of a module came from; or None."""
    for above in range(min(line, len(lines)), 0, -1):
        found = _MARKER.fullmatch(lines[above - 1])
        if found:
            return found[1], int(found[2]) + max(0, line - above - 1)
    return None


def said(label: str, line: int) -> str:
    """A place as it is told: `cell 3, line 2`, or `file.py:2` where the cells lie in a file."""
    return f"{label}:{line}" if "." in label else f"{label}, line {line}"
