"""The interactive session that this process may be: IPython, marimo, or a Python prompt."""

from __future__ import annotations

import os
import re
import sys
from types import ModuleType
from typing import Any

_MARIMO = re.compile(r"__marimo__cell_(.+?)_\w*\.py$")
_PROMPT = re.compile(r"<(?:python-input|stdin)>?-(\d+)>?")


def notebook() -> ModuleType | None:
    """`__main__`, when its code was typed in cells or at a prompt; None when it is a script."""
    main = sys.modules.get("__main__")
    if main is None:
        return None
    shell = _shell()
    if shell is not None and getattr(shell, "user_module", None) is main:
        return main
    spec = getattr(main, "__spec__", None)
    if spec is None and getattr(main, "__file__", None) is None:
        return main
    if spec is not None and spec.name.startswith("_pyrepl."):  # the prompt of Python 3.13
        return main
    return main if _in_marimo() else None


def label(filename: str) -> str | None:
    """What a cell is called, by the file name that its code was compiled under; else None."""
    if not (filename.startswith("<") or "ipykernel_" in filename or "__marimo__" in filename):
        return None
    numbers: dict[str, int] = getattr(getattr(_shell(), "compile", None), "_filename_map", {})
    if filename in numbers:
        return f"cell {numbers[filename]}"
    found = _MARIMO.search(filename)
    if found:
        return f"cell {found[1]}"
    typed = _PROMPT.fullmatch(filename)
    return f"input {typed[1]}" if typed else None


def cells() -> list[str]:
    """The file names of the cells that were run, newest first, and that of the notebook's file."""
    import linecache

    numbers: dict[str, int] = getattr(getattr(_shell(), "compile", None), "_filename_map", {})
    found = sorted(numbers, key=lambda name: -numbers[name])
    others = [name for name in linecache.cache if name not in numbers and _is_typed(name)]
    others.sort(key=lambda name: (len(name), name), reverse=True)
    own = getattr(sys.modules.get("__main__"), "__file__", None)
    return [*found, *others, *([own] if own and own.endswith(".py") else [])]


def folder() -> str:
    """The directory that the session belongs to: the notebook's, or the working directory."""
    file = getattr(sys.modules.get("__main__"), "__file__", None) if _in_marimo() else None
    return os.path.dirname(os.path.abspath(file)) if file else os.getcwd()


def _is_typed(name: str) -> bool:
    frozen = name.startswith("<frozen ")
    return "__marimo__cell_" in name or (name.startswith("<") and not frozen)


def _shell() -> Any:
    get: Any = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get() if callable(get) else None


def _in_marimo() -> bool:
    meta: Any = getattr(sys.modules.get("marimo"), "app_meta", None)
    return meta is not None and meta().mode in ("edit", "run", "script")
