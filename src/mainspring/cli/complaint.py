"""What a person is told when something went wrong: one message, never a bare traceback."""

from __future__ import annotations

import os
import traceback

import click
import msgspec

from mainspring.cli.invocation import Invocation
from mainspring.cli.screen import Screen, clean_block
from mainspring.records.errors import MainspringError
from mainspring.records.runs import TaskError

BUG = 70
LONGEST = 2_000
"""Characters of a part of a message at most: the middle of a longer one is left out."""


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """An error as it is printed: what, where and what to do."""

    kind: str
    what: str
    where: str | None = None
    hint: str | None = None
    exit_code: int = 2


class ErrorView(msgspec.Struct, frozen=True, kw_only=True):
    """With `--json`, on standard error."""

    error: Complaint
    format: str = "mainspring.error/1"


def complain(error: Exception, invocation: Invocation) -> int:
    """Print an error; return the exit status that goes with it."""
    found = complaint_of(error)
    if invocation.json:
        data = msgspec.json.encode(ErrorView(error=found))
        invocation.errors.line(data.decode())
    else:
        write_complaint(invocation.errors, found.what, found.where, found.hint)
    if found.exit_code == BUG and os.environ.get("MAINSPRING_DEBUG"):
        invocation.errors.write("".join(traceback.format_exception(error)))
    return found.exit_code


def complaint_of(error: Exception) -> Complaint:
    """Return what to say about an error; what is nobody's mistake but ours is a bug."""
    if isinstance(error, MainspringError):
        return Complaint(
            kind=type(error).__name__,
            what=_shortened(error.what),
            where=_shortened(error.where, 2 * LONGEST) if error.where else error.where,
            hint=_shortened(error.hint) if error.hint else error.hint,
            exit_code=error.exit_code,
        )
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        hint = f"`{context.command_path} --help` explains it" if context else None
        what = _shortened(_lower(error.format_message()))
        return Complaint(kind="UsageError", what=what, hint=hint)
    if isinstance(error, OSError) and error.filename is not None:
        return Complaint(
            kind="OSError", what=error.strerror or str(error), where=str(error.filename)
        )
    if isinstance(error, OSError) and error.errno is not None:
        return _of_system(error)
    set_it = "set MAINSPRING_DEBUG=1 to see where, and please report it"
    hint = None if os.environ.get("MAINSPRING_DEBUG") else set_it
    what = f"this is a bug in Mainspring: {type(error).__name__}: {error}"
    return Complaint(kind="Bug", what=what, hint=hint, exit_code=BUG)


def _of_system(error: OSError) -> Complaint:
    """What the system refused, of which only the reason is known."""
    try:
        os.getcwd()
    except OSError:
        hint = "change to a directory that is there"
        return Complaint(kind="OSError", what="the working directory is gone", hint=hint)
    what = f"the system refuses to read or write: {os.strerror(error.errno or 0)}"
    hint = "is there room on the disk, also where the output goes?"
    return Complaint(kind="OSError", what=what, hint=hint)


def write_complaint(screen: Screen, what: str, where: str | None, hint: str | None) -> None:
    """Write `error: what`, with where and hint below it."""
    place = f"{clean_block(where)}: " if where else ""
    lines = [f"{screen.paint('error:', 'bold red')} {place}{clean_block(what)}"]
    if hint:
        indented = clean_block(hint).replace("\n", "\n        ")
        lines.append(f"  {screen.paint('hint:', 'bold')} {indented}")
    screen.line("\n".join(lines))


def write_task_error(screen: Screen, path: str, error: TaskError, logs: str) -> None:
    """Write why a task failed, where, and how to see more."""
    kind = "" if error.kind in ("error", "checkpoint", "children") else f"{error.kind}: "
    screen.line(
        f"{screen.paint('error:', 'bold red')} {screen.paint(path, 'bold')} failed: "
        f"{clean_block(kind + error.message)}"
    )
    for name, text in (("at", error.where), ("hint", error.hint), ("more", logs)):
        if text:
            screen.line(f"  {screen.paint(f'{name}:', 'bold')} {clean_block(text)}")


def _shortened(text: str, longest: int = LONGEST) -> str:
    """The beginning and the end of a long text: a message names its reason in either."""
    if len(text) <= longest:
        return text
    return f"{text[: longest * 2 // 3]} … {text[-(longest // 4) :]}"


def _lower(text: str) -> str:
    text = text.rstrip(".")
    return text[:1].lower() + text[1:]
