"""One call of the program: which project, which form of output; shared by every verb."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click import types

from mainspring.cli.screen import Screen

if TYPE_CHECKING:
    from mainspring.app.project import Project

F = TypeVar("F", bound=Callable[..., Any])


class Invocation:
    """What the global options said."""

    def __init__(self) -> None:
        self.directory: Path | None = None
        self.json = False
        self.no_color = False
        self._closing: list[Callable[[], None]] = []

    def open(self, *, migrate: bool = False) -> Project:
        """Open the project; it is closed when the program ends. Raises MainspringError."""
        from mainspring import settings
        from mainspring.app.project import Project
        from mainspring.records.errors import ProjectError

        start = self.directory or Path.cwd()
        if not start.is_dir():
            raise ProjectError(f"there is no directory {start}")
        project = Project(settings.find_root(start), migrate=migrate)
        self._closing.append(project.close)
        return project

    def close(self) -> None:
        """Close what was opened."""
        while self._closing:
            self._closing.pop()()

    @cached_property
    def screen(self) -> Screen:
        """Standard output, with colours where they are wanted."""
        return Screen(sys.stdout, color=self._colored(sys.stdout))

    @cached_property
    def errors(self) -> Screen:
        """Standard error, likewise."""
        return Screen(sys.stderr, color=self._colored(sys.stderr))

    def _colored(self, stream: Any) -> bool:
        wanted = not self.no_color and not os.environ.get("NO_COLOR")
        return wanted and os.environ.get("TERM") != "dumb" and stream.isatty()

    def emit(self, view: Any) -> None:
        """Print a record as JSON."""
        import msgspec

        data = msgspec.json.format(msgspec.json.encode(view), indent=2)
        self.screen.write(data.decode() + "\n")


given = click.make_pass_decorator(Invocation, ensure=True)
"""Decorator: the verb's function gets the invocation first."""


class Verb(click.Command):
    """A verb: it takes the global options too, wherever they stand."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(global_options())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. Raises UsageError for bytes that are no text where text is meant."""
        rest = super().parse_args(ctx, args)
        for parameter in self.params:
            if isinstance(parameter.type, types.StringParamType):
                _check_text(ctx, parameter)
        return rest


def _check_text(context: click.Context, parameter: click.Parameter) -> None:
    given = context.params.get(parameter.name or "")
    for text in given if isinstance(given, tuple) else (given,):  # pyright: ignore[reportUnknownVariableType]
        if isinstance(text, str) and not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise click.BadParameter("it is not UTF-8 text", context, parameter) from None


def verb(**kwargs: Any) -> Callable[[Callable[..., Any]], Verb]:
    """Decorator: make a function a verb."""
    return click.command(cls=Verb, **kwargs)


def global_options() -> list[click.Parameter]:
    """The options that every verb, and the program itself, understands."""

    def remember(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
        def set_it(context: click.Context, _: click.Parameter, value: Any) -> None:
            if value:
                setattr(context.ensure_object(Invocation), name, value)

        return set_it

    project = click.Option(
        ["-C", "--project"],
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="The project, or a directory in it.",
        expose_value=False,
        is_eager=True,
        callback=remember("directory"),
    )
    flags = {"json": "Print a JSON object.", "no-color": "Print no colours."}
    options = [
        click.Option(
            [f"--{name}"],
            is_flag=True,
            help=text,
            expose_value=False,
            is_eager=True,
            callback=remember(name.replace("-", "_")),
        )
        for name, text in flags.items()
    ]
    return [project, *options]
