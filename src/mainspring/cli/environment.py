"""`mainspring environment`: what a run ran in, its lock, and an environment built from that."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli import choices, wording
from mainspring.cli.invocation import Invocation, Verb, given, global_options
from mainspring.cli.screen import Cell, Screen, clean

if TYPE_CHECKING:
    from mainspring.records.environments import Environment


@click.group(params=global_options())
def command() -> None:
    """Show what the steps of a run ran in; write its lock, build it.

    RUN is an id, the beginning of one, or `latest`.
    """


@command.command(cls=Verb)
@choices.run_argument(required=False)
@given
def show(invocation: Invocation, run: str) -> None:
    """Show what was recorded of a run's environment."""
    from mainspring.app.environments import environment_of
    from mainspring.app.views import EnvironmentView

    project = invocation.open()
    record = project.store.read.find_run(run)
    found = environment_of(project, record)
    if invocation.json:
        view = EnvironmentView(run=record.id, digest=record.environment, environment=found)
        invocation.emit(view)
    else:
        write_environment(invocation.screen, record.id, found)


@command.command(cls=Verb)
@click.argument("run", required=False, shell_complete=choices.complete_run)
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    help="Where to write; `-` is standard output (default: a file here, named like the lock).",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@given
def lock(invocation: Invocation, run: str | None, output: str | None, force: bool) -> None:
    """Write the lock of a run, or of what the project imports and is installed now."""
    from mainspring.app.environments import lock_text
    from mainspring.app.views import WrittenView
    from mainspring.records.errors import ConflictError

    project = invocation.open()
    name, text = lock_text(project, project.store.read.find_run(run) if run else None)
    if output == "-":
        sys.stdout.buffer.write(text)
        return
    path = Path(output or name)
    if path.exists() and not force:
        raise ConflictError(f"{path} exists", hint="--force overwrites it")
    path.write_bytes(text)
    if invocation.json:
        invocation.emit(WrittenView(paths=[str(path.absolute())]))
    else:
        invocation.screen.line(clean(str(path)))


@command.command(cls=Verb)
@choices.run_argument(required=False)
@click.option("--of", "path", metavar="PATH", help="Of a lock of the project, or its folder.")
@given
def build(invocation: Invocation, run: str, path: str | None) -> None:
    """Build an environment from the lock of a run, and say where it is."""
    from mainspring.app.environments import build as build_recorded
    from mainspring.app.environments import build_path, environment_of
    from mainspring.app.views import EnvironmentView

    project = invocation.open()
    if path is not None:
        name, python = build_path(project, path)
        view = EnvironmentView(run=None, built={name: str(python)})
    else:
        record = project.store.read.find_run(run)
        found = environment_of(project, record)
        python = build_recorded(project, found)
        name = (found.lock.path or found.lock.main) if found.lock else ""
        view = EnvironmentView(
            run=record.id, digest=record.environment, environment=found, built={name: str(python)}
        )
    if invocation.json:
        invocation.emit(view)
    else:
        invocation.screen.line(str(python))


def write_environment(screen: Screen, run: str, found: Environment) -> None:
    """Write an environment: its lock, then the machine, then packages."""
    from mainspring.app.environments import facts

    lock = found.lock
    said = "none" if lock is None else f"{lock.path or lock.main} ({lock.kind})"
    rows = {"run": run, "lock": said, "because": found.why, **facts(found)}
    screen.table(
        [[Cell(name, "dim"), clean(wording.cut(text))] for name, text in rows.items() if text]
    )
    for path, own in found.steps.items():
        screen.line(f"{clean(path)}: {clean(own.path)}, {own.digest[7:23]}")
    if found.packages:
        screen.line()
        screen.title("packages")
        names = [[Cell(name), Cell(text)] for name, text in found.packages.items()]
        screen.table(names, indent=2)
    for name, why in found.unbuildable.items():
        screen.line(f"{screen.paint('no lock brings back', 'yellow')} {clean(name)}: {clean(why)}")
