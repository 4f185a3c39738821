"""`mainspring artifacts`: list, preview, copy out and export what tasks have made."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mainspring.cli import choices
from mainspring.cli.invocation import Invocation, Verb, given, global_options
from mainspring.cli.screen import clean_block

_TARGET = "TASK[.OUTPUT]"


@click.group(params=global_options())
def command() -> None:
    """List, preview, copy out and export what the tasks of a run have made.

    RUN is an id, the beginning of one, or `latest`. TASK.OUTPUT names an artifact; a task with
    one output names it alone.
    """


@command.command(cls=Verb, name="list")
@choices.run_argument(required=False)
@click.argument("task", required=False, metavar=_TARGET, shell_complete=choices.complete_task)
@given
def list_(invocation: Invocation, run: str, task: str | None) -> None:
    """List the artifacts of a run or task."""
    from mainspring.app.artifacts import list_artifacts
    from mainspring.app.views import ArtifactsView
    from mainspring.cli.run_page import artifact_row

    project = invocation.open()
    record = project.store.read.find_run(run)
    found = list_artifacts(project, record, task)
    if invocation.json:
        invocation.emit(ArtifactsView(run=record.id, artifacts=found))
    elif found:
        invocation.screen.table([artifact_row(artifact) for artifact in found])
    else:
        invocation.errors.line("there are none")


@command.command(cls=Verb)
@choices.run_argument()
@click.argument("task", metavar=_TARGET, shell_complete=choices.complete_task)
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    help="Where to write; `-` is standard output (default: a file here, named like the artifact).",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@given
def get(invocation: Invocation, run: str, task: str, output: str | None, force: bool) -> None:
    """Copy an artifact out.

    What is written is the stored file itself (JSON, .npy, text, ...); a list or dict of other
    things becomes a directory with a file for each element.
    """
    from mainspring.app.artifacts import copy_out, file_name, find_artifact, write_to
    from mainspring.app.views import WrittenView

    project = invocation.open()
    path, name, ref = find_artifact(project, project.store.read.find_run(run), task)
    if output == "-":
        write_to(project, ref, sys.stdout.buffer)
        return
    target = Path(output) if output else Path(file_name(path, name, ref))
    made = copy_out(project, ref, target, force=force)
    if invocation.json:
        invocation.emit(WrittenView(paths=[str(made)]))
    else:
        invocation.screen.line(str(made))


@command.command(cls=Verb)
@choices.run_argument()
@click.argument("task", metavar=_TARGET, shell_complete=choices.complete_task)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@given
def export(invocation: Invocation, run: str, task: str, file: Path, force: bool) -> None:
    """Write an artifact as a file for other programs.

    The end of FILE says what is written: .parquet, .csv, .json, .npy or .png, where the value has
    such a form.
    """
    from mainspring.app.artifacts import find_artifact
    from mainspring.app.exporting import export as write
    from mainspring.app.views import WrittenView

    project = invocation.open()
    _, _, ref = find_artifact(project, project.store.read.find_run(run), task)
    made = write(project, ref, file, force=force)
    if invocation.json:
        invocation.emit(WrittenView(paths=[str(made)]))
    else:
        invocation.screen.line(str(made))


@command.command(cls=Verb, name="open")
@choices.run_argument()
@click.argument("task", metavar=_TARGET, shell_complete=choices.complete_task)
@given
def open_(invocation: Invocation, run: str, task: str) -> None:
    """Preview an artifact here: its value, or its shape and beginning."""
    from mainspring.app.artifacts import find_artifact, preview
    from mainspring.app.views import PreviewView, artifact_view

    project = invocation.open()
    record = project.store.read.find_run(run)
    found = find_artifact(project, record, task)
    text = preview(project, found[2])
    if invocation.json:
        invocation.emit(PreviewView(run=record.id, artifact=artifact_view(*found), preview=text))
    else:
        invocation.screen.line(clean_block(text))
