"""`mainspring diff`: everything in which two runs differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import choices, wording
from mainspring.cli.invocation import Invocation, given, verb
from mainspring.cli.screen import Cell, Screen, clean

if TYPE_CHECKING:
    from mainspring.app import views

SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_ROWS = 40


@verb()
@choices.run_argument("before")
@choices.run_argument("after")
@click.option("--exit-code", is_flag=True, help="End with status 1 if anything differs.")
@given
def command(invocation: Invocation, before: str, after: str, exit_code: bool) -> int:
    """Show in what two runs differ: parameters, source, packages, tasks, metrics, artifacts.

    Each run is an id, the beginning of one, or `latest`.
    """
    from mainspring.app.diff import compare

    project = invocation.open()
    find = project.store.read.find_run
    found = compare(project, find(before), find(after))
    if invocation.json:
        invocation.emit(found)
    else:
        write_diff(invocation.screen, found)
    return int(exit_code and found.differ)


def write_diff(screen: Screen, found: views.DiffView) -> None:
    """Write what differs, part by part; of a long part its beginning."""
    for sign, style, run in (("-", "red", found.before), ("+", "green", found.after)):
        about = clean(f"{run.pipeline}  {wording.run_status(run)}")
        screen.line(f"{screen.paint(f'{sign} {run.id}', style)}  {about}")
    if not found.differ:
        screen.line("nothing differs")
        return
    if found.before.seed != found.after.seed:
        screen.line(f"seed {found.before.seed} → {found.after.seed}")
    _part(screen, "parameters", found.parameters, lambda one: (one.name, _change(one)))
    _part(screen, "data and models", found.sources, lambda one: (one.name, _version_change(one)))
    _part(screen, "environment", found.environment, lambda one: (one.name, _versions(one)))
    _source(screen, found.source)
    _tasks(screen, found.tasks)
    _part(screen, "metrics", found.metrics, lambda one: (f"{one.task}.{one.name}", _metric(one)))
    _part(
        screen,
        "artifacts",
        found.artifacts,
        lambda one: (f"{one.task}.{one.output}", f"{_digest(one.before)} → {_digest(one.after)}"),
    )


def _part(
    screen: Screen, title: str, found: Sequence[Any], words: Callable[[Any], tuple[str, str]]
) -> None:
    if not found:
        return
    screen.line()
    screen.title(title)
    rows = [[_sign(one.how), *(Cell(text) for text in words(one))] for one in found[:_ROWS]]
    screen.table(rows, indent=2)
    _left(screen, len(found))


def _left(screen: Screen, count: int) -> None:
    if count > _ROWS:
        screen.line(f"  … {count - _ROWS:,} more: --json lists them")


def _sign(how: str) -> Cell:
    return Cell(*SIGNS[how])


def _change(one: views.ChangeView) -> str:
    old = "none" if one.how == "added" else wording.setting(one.before)
    new = "none" if one.how == "removed" else wording.setting(one.after)
    return f"{old} → {new}"


def _versions(one: views.ChangeView) -> str:
    return f"{wording.cut(one.before or 'none')} → {wording.cut(one.after or 'none')}"


def _version_change(one: views.ChangeView) -> str:
    """The versions; the beginning of their digests too where the numbers are the same."""
    old, new = ((text or "none").split(" ") for text in (one.before, one.after))
    if old[0] != new[0]:
        return f"{old[0]} → {new[0]}"
    return f"{' '.join(old)[:24]}… → {' '.join(new)[:24]}…"


def _metric(one: views.MetricDiffView) -> str:
    old, new = one.before, one.after
    text = f"{wording.number(old)} → {wording.number(new)}"
    return text if old is None or new is None else f"{text}  ({new - old:+.4g})"


def _digest(digest: str | None) -> str:
    return "none" if digest is None else digest.partition(":")[2][:12]


def _source(screen: Screen, found: Sequence[views.FileDiffView]) -> None:
    if not found:
        return
    screen.line()
    screen.title("source")
    for file in found[:_ROWS]:
        if file.diff is None:
            screen.line(f"  {SIGNS[file.how][0]} {clean(file.path)}: no text that can be compared")
            continue
        for line in file.diff.splitlines():
            screen.line("  " + screen.paint(clean(line), _style(line)))
    _left(screen, len(found))


def _style(line: str) -> str:
    if line.startswith(("+++", "---")):
        return "bold"
    return {"+": "green", "-": "red", "@": "blue"}.get(line[:1], "")


def _tasks(screen: Screen, found: Sequence[views.TaskDiffView]) -> None:
    if not found:
        return
    screen.line()
    screen.title("tasks")
    for task in found[:_ROWS]:
        sign, style = SIGNS[task.how]
        said = "" if task.before == task.after else f"  {task.before} → {task.after}"
        screen.line(f"  {screen.paint(sign, style)} {clean(task.path + said)}")
        for text in task.differences:
            screen.line(f"      {clean(text)}")
    _left(screen, len(found))
