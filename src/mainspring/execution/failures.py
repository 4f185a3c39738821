"""From an exception or a process's end to an error that a person can act on."""

from __future__ import annotations

import linecache
import os
import re
import signal
import traceback
from types import TracebackType

from mainspring.records.errors import ExecutionError, MainspringError
from mainspring.records.notebook import is_cell_file, place, said
from mainspring.records.runs import Order, TaskError

_MESSAGE = 10_000
_TRACE = 20_000
_KIND = 200
_CHAIN = 10  # exceptions that led to one another
_UNKNOWN = "(its message can't be shown)"


class ToldError(ExecutionError):
    """What went wrong in another process, which has told it."""

    def __init__(self, told: TaskError) -> None:
        super().__init__(f"{told.kind}: {told.message}", where=told.where, hint=told.hint)
        self.told = told


def describe(error: BaseException, snapshot: str, order: Order) -> TaskError:
    """Say what a step's exception was, with the project's own frames only.

    Never raises: an exception is a user's object, whose every method may.
    """
    if isinstance(error, ToldError):
        return _bounded(error.told)
    try:
        kind, message, hint = _words(error, order)
        where = getattr(error, "where", None) if isinstance(error, MainspringError) else None
        where, trace = where or _where(error, snapshot), _trace(error, snapshot)
    except BaseException:
        kind, message, hint = type(error).__qualname__, _UNKNOWN, ""
        where = trace = ""
    return _bounded(
        TaskError(kind=kind, message=message, where=where or "", traceback=trace, hint=hint)
    )


def _bounded(error: TaskError) -> TaskError:
    return TaskError(
        kind=_plain(error.kind, _KIND),
        message=_plain(error.message, _MESSAGE),
        where=_plain(error.where, _MESSAGE),
        traceback=_plain(error.traceback, _TRACE),
        hint=_plain(error.hint, _MESSAGE),
    )


def _plain(text: object, limit: int) -> str:
    """A text that every record can hold: of no great length, without NUL and half characters."""
    short = _shorten(text if isinstance(text, str) else repr(text), limit)
    return short.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _words(error: BaseException, order: Order) -> tuple[str, str, str]:
    kind = type(error).__qualname__
    if isinstance(error, MainspringError):
        return kind, error.what, error.hint or ""
    if isinstance(error, MemoryError):
        limit = f"its limit of {size_text(order.memory)}" if order.memory else "the machine's"
        said = f": {text}" if (text := _text(error)) else ""
        return "memory", f"the step ran out of memory ({limit}){said}", _MORE_MEMORY
    if isinstance(error, SystemExit):
        code = "" if error.code is None else repr(error.code)
        return kind, f"the step called sys.exit({code})", "return a value, or raise an exception"
    if isinstance(error, KeyboardInterrupt):
        return kind, "the step was interrupted", ""
    if isinstance(error, ModuleNotFoundError):
        return kind, _text(error), "is it installed, or is its file left out of the project?"
    text = _text(error)
    return kind, text, _LIKE_IT_OR_NOT if _NO_SUCH_ALGORITHM.search(text) else ""


_NO_SUCH_ALGORITHM = re.compile(r"does not have a deterministic implementation|op.determinism")
_LIKE_IT_OR_NOT = (
    "`@step(deterministic=False)` allows it; the result may then differ from run to run"
)
_MORE_MEMORY = "raise the step's memory=..., or have it hold less at once"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # a user's __str__ may do anything
        return _UNKNOWN


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit // 2]}\n...\n{text[-limit // 2 :]}"


def _relative(path: str, snapshot: str) -> str | None:
    inside = snapshot + "/"
    return path[len(inside) :] if path.startswith(inside) else None


def _frames(trace: TracebackType | None, snapshot: str) -> list[traceback.FrameSummary]:
    frames: list[traceback.FrameSummary] = []
    for frame in traceback.extract_tb(trace):
        path = _relative(frame.filename, snapshot)
        if path is not None:
            path, number = _in_cell(frame.filename, path, frame.lineno or 0)
            frames.append(traceback.FrameSummary(path, number, frame.name, line=frame.line or ""))
    return frames


def _in_cell(file: str, path: str, line: int) -> tuple[str, int]:
    """The cell, and the line there, that a line of a snapshot's file came from, if one did."""
    if is_cell_file(path):
        return place(linecache.getlines(file), line) or (path, line)
    return path, line


def _where(error: BaseException, snapshot: str) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        path = _relative(error.filename, snapshot)
        if path is not None:
            return f"{path}:{error.lineno}"
    frames = _frames(error.__traceback__, snapshot)
    return said(frames[-1].filename, frames[-1].lineno or 0) if frames else ""


def _trace(error: BaseException, snapshot: str) -> str:
    parts: list[str] = []
    chain = _chain(error)
    if len(chain) > _CHAIN:  # each is formatted with all that it came from: shown are both ends
        chain = chain[: _CHAIN // 2] + chain[-_CHAIN // 2 :]
    for present in chain:
        frames = traceback.format_list(_frames(present.__traceback__, snapshot))
        ending = traceback.format_exception_only(type(present), present)
        parts.append("".join(["Traceback (most recent call last):\n", *frames, *ending]))
    return "\nThis led to:\n\n".join(reversed(parts)).replace(snapshot + "/", "")


def _chain(error: BaseException) -> list[BaseException]:
    """The exception, and what it came from, and so on."""
    found: list[BaseException] = []
    seen: set[int] = set()
    present: BaseException | None = error
    while present is not None and id(present) not in seen:
        seen.add(id(present))
        found.append(present)
        follows = present.__context__ if not present.__suppress_context__ else None
        present = present.__cause__ or follows
    return found


def death(status: int) -> TaskError:
    """Say how a worker ended without an outcome, from its wait status."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        extra = " \N{EM DASH} possibly out of memory" if name == "SIGKILL" else ""
        return TaskError(
            kind="killed", message=f"killed by {name}{extra}", hint=_DEATH_HINTS.get(name, "")
        )
    code = os.waitstatus_to_exitcode(status)
    return TaskError(
        kind="exit",
        message=f"the step ended its process: it called os._exit({code}), or a library did",
        hint="return a value, or raise an exception; the log has what it printed",
    )


_DEATH_HINTS = {
    "SIGKILL": "give the step a memory=... limit to see what it uses",
    "SIGSEGV": "a compiled library crashed; the log has what it printed",
    "SIGABRT": "a compiled library gave up; the log has what it printed",
}


def size_text(size: int | None) -> str:
    """A size in bytes as people write it: `512 MiB`."""
    value = float(size or 0)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.4g} {unit}"
        value /= 1024
    return f"{value:.4g} TiB"
