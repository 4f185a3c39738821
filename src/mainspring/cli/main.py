"""Where the program begins: what can be said at once is said before anything is imported."""

from __future__ import annotations

import os
import sys

from mainspring.cli import overview

_HELP = ("--help", "-h", "help")


def main() -> None:
    """Run the command line that this process was started with, and end the process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; return the exit status (docs/reference/cli.md)."""
    _hold_standard_streams()
    if "_MAINSPRING_COMPLETE" not in os.environ:
        if not arguments or (len(arguments) == 1 and arguments[0] in _HELP):
            return _say(overview.text())
        if arguments in (["--version"], ["-V"]):
            from mainspring import __version__

            return _say(f"mainspring {__version__}")
    from mainspring.cli.program import execute

    return execute(arguments)


def _say(text: str) -> int:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Nobody reads on; the interpreter must not try to flush again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"error: can't write the output: {error.strerror}", file=sys.stderr)
        return 2
    return 0


def _hold_standard_streams() -> None:
    """Where one was closed, put one that leads nowhere: no other file may get its number."""
    fd = os.open(os.devnull, os.O_RDWR)
    while fd <= 2:
        fd = os.dup(fd)
    os.close(fd)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)
