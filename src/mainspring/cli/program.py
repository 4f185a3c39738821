"""The program: verbs loaded when they are called, and what becomes of their errors."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import click
from click.shell_completion import CompletionItem

from mainspring.cli import overview
from mainspring.cli.invocation import Invocation, global_options
from mainspring.records.errors import MainspringError

INTERRUPTED = 130
PIPE_CLOSED = 141


class Program(click.Group):
    """The group of all verbs; only the one that is called is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(overview.VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in overview.VERBS:
            return None
        return importlib.import_module(f"mainspring.cli.{cmd_name}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in overview.VERBS and not args[0].startswith("-"):
            near = get_close_matches(args[0], overview.VERBS, 1)
            hint = f"did you mean {near[0]!r}?" if near else "`mainspring --help` lists the verbs"
            raise MainspringError(f"there is no verb {args[0]!r}", hint=hint)
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        formatter.write(overview.text() + "\n")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        found = [
            (verb, text) for verb, text in overview.VERBS.items() if verb.startswith(incomplete)
        ]
        return [CompletionItem(verb, help=text) for verb, text in found]


def make_program() -> Program:
    """Return the program as click knows it."""
    from mainspring import __version__

    program = Program("mainspring", params=global_options(), no_args_is_help=True)
    program.context_settings = {"help_option_names": ["-h", "--help"]}
    return click.version_option(__version__, "-V", "--version", message="mainspring %(version)s")(
        program
    )


def execute(arguments: Sequence[str]) -> int:
    """Run one command line, print what went wrong if something did; return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError):
            stream.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    invocation = Invocation()
    invocation.json = _wants_json(arguments)
    try:
        try:
            return _call(arguments, invocation)
        finally:
            invocation.close()
            sys.stdout.flush()
    except BrokenPipeError:
        return _pipe_closed()
    except (KeyboardInterrupt, click.Abort):
        return _interrupted()
    except Exception as error:
        from mainspring.cli.complaint import complain

        try:
            return complain(error, invocation)
        except OSError:  # standard error takes nothing: the status alone can tell
            return 2


def _call(arguments: Sequence[str], invocation: Invocation) -> int:
    program = make_program()
    if "_MAINSPRING_COMPLETE" in os.environ:
        try:
            program.main(list(arguments), prog_name="mainspring", obj=invocation)
        except Exception:  # a shell can show no message: it offers nothing
            return 1
    # Not `main`: that makes an exit status of 1 of a pipe that was closed.
    try:
        with program.make_context("mainspring", list(arguments), obj=invocation) as context:
            result: Any = program.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    return result if isinstance(result, int) else 0


def _pipe_closed() -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return PIPE_CLOSED


def _interrupted() -> int:
    with contextlib.suppress(OSError):
        os.write(2, b"interrupted\n")
    return INTERRUPTED


def _wants_json(arguments: Sequence[str]) -> bool:
    """Known before the command line is parsed, so that a mistake in it is told as JSON too."""
    for argument in arguments:
        if argument == "--":
            return False
        if argument == "--json":
            return True
    return False
