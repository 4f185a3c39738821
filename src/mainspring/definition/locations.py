"""Where in the user's files something was written: `pipeline.py:12`, relative to the project."""

from __future__ import annotations

import functools
import os
import sys
from types import CodeType, FrameType

from mainspring.definition import session
from mainspring.records import notebook

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_root: str | None = None


def set_root(path: str | os.PathLike[str] | None) -> None:
    """Make locations relative to `path`; None: to the nearest directory with mainspring.toml."""
    global _root  # noqa: PLW0603  one process looks at one project
    _root = None if path is None else os.path.abspath(path)


def location() -> str:
    """Return `file:line` of the innermost caller that is not Mainspring itself."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return "" if frame is None else at(frame.f_code.co_filename, frame.f_lineno)


def project_root() -> str:
    """Return the directory that paths in a pipeline are relative to: the project's.

    It is what `set_root` says, else the nearest one with mainspring.toml above the caller's file.
    """
    if _root is not None:
        return _root
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    name = "" if frame is None else frame.f_code.co_filename
    typed = name.startswith("<") or session.label(name) is not None
    folder = session.folder() if typed or frame is None else os.path.dirname(os.path.abspath(name))
    return _project(folder) or folder


def of_code(code: CodeType) -> str:
    """Return `file:line` of the first line of a function (of its first decorator)."""
    return at(code.co_filename, code.co_firstlineno)


def at(filename: str, line: int) -> str:
    """Return `file:line`, the file relative to the project; of a notebook, `cell 3, line 2`."""
    cell = session.label(filename)
    if cell is not None:
        return notebook.said(cell, line)
    path = _relative(filename, _root)
    if notebook.is_cell_file(path):
        import linecache

        found = notebook.place(linecache.getlines(filename), line)
        if found is not None:
            return notebook.said(*found)
    return f"{path}:{line}"


def of_error(error: BaseException) -> str | None:
    """Return `file:line` of the innermost place in the project that an error passed through.

    None when there is none, or when the error was raised by Mainspring itself.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return at(error.filename, error.lineno or 0)
    found: str | None = None
    last = ""
    trace = error.__traceback__
    while trace is not None:
        last = os.path.abspath(trace.tb_frame.f_code.co_filename)
        base = _root or _project(os.path.dirname(last)) or os.getcwd()
        name = trace.tb_frame.f_code.co_filename
        if last.startswith(base.rstrip(os.sep) + os.sep) or session.label(name) is not None:
            found = at(name, trace.tb_lineno)
        trace = trace.tb_next
    return None if last.startswith(_HERE) else found


@functools.lru_cache(maxsize=1024)
def _relative(filename: str, root: str | None) -> str:
    if filename.startswith("<"):
        return filename
    path = os.path.abspath(filename)
    base = root or _project(os.path.dirname(path)) or os.getcwd()
    if path.startswith(base.rstrip(os.sep) + os.sep):
        return os.path.relpath(path, base).replace(os.sep, "/")
    # A machine's own directories must not enter a spec: it would differ from place to place.
    return os.path.basename(path)


@functools.lru_cache(maxsize=256)
def _project(folder: str) -> str | None:
    while True:
        if os.path.isfile(os.path.join(folder, "mainspring.toml")):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
