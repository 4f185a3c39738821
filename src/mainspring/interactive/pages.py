"""Runs, plans and pipelines as HTML for a notebook's cell; every text of a user is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from mainspring.app.views import RunDetail, RunView, TaskView
from mainspring.cli import wording
from mainspring.cli.plan import SIGNS, reason_of, summary
from mainspring.cli.screen import clean
from mainspring.interactive.drawing import COLORS, Arrow, Shape, draw
from mainspring.records.errors import MainspringError
from mainspring.records.plan import Choice, Plan
from mainspring.records.runs import TaskError

_ROWS = 40
"""Rows of a table at most: what is left over is counted."""

_FAILED = 5
_FONT = "font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif"
_CELL = "padding:1px 14px 1px 0;text-align:left;border:none;background:none"
_MONO = "font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:12px"


def run_page(detail: RunDetail) -> str:
    """A run: how it stands, its graph, what failed."""
    status = {task.path: task.status for task in detail.tasks}
    shapes = [Shape(task.path, task.kind, task.status, _note(task)) for task in detail.tasks]
    arrows = [Arrow(edge.after, edge.task, edge.guard) for edge in detail.edges]
    known = [arrow for arrow in arrows if arrow.after in status and arrow.task in status]
    title = f"run {detail.run.id} of {detail.run.pipeline}: {detail.run.status}"
    return _page(
        headline(detail.run),
        draw(title, shapes, known),
        _folded(f"{len(detail.tasks)} tasks", task_table(detail.tasks)),
        *(failure(task.path, task.error) for task in detail.failed[:_FAILED] if task.error),
    )


def progress_page(
    run: RunView, tasks: Sequence[TaskView], note: str, errors: Iterable[TaskView]
) -> str:
    """A run at work: how it stands, what its tasks do, what failed so far."""
    said = [f'<div style="color:{COLORS["yellow"]}">{_text(note)}</div>'] if note else []
    return _page(
        headline(run),
        task_table(tasks),
        *said,
        *(failure(task.path, task.error) for task in errors if task.error),
    )


def plan_page(plan: Plan, arrows: Sequence[Arrow]) -> str:
    """A plan as a table, with its graph."""
    shown = [task for task in plan.tasks if task.kind != "element"]
    rows: list[list[str]] = []
    for task in shown[:_ROWS]:
        sign, style, word = SIGNS[task.choice]
        expected = wording.duration(task.expected) if task.choice is not Choice.REUSE else ""
        rows.append(
            [
                f'<span style="color:{COLORS.get(style, COLORS[""])}" title="{word}">{sign}</span>',
                _text(task.path),
                f"~{expected}" if expected else "",
                _text(reason_of(task)),
            ]
        )
    about = wording.settings(plan.parameters)
    states = {Choice.REUSE: "reused", Choice.RUN: "ready", Choice.SKIP: "skipped",
              Choice.FAIL: "failed"}  # fmt: skip
    shapes = [
        Shape(task.path, task.kind, states.get(task.choice, ""), reason_of(task)) for task in shown
    ]
    return _page(
        f"<div>plan of <b>{_text(plan.pipeline)}</b> {_text(about)}</div>",
        _table(rows, len(shown) - len(rows)),
        f"<div>{_text(summary(plan))}</div>",
        _folded("graph", draw(f"plan of {plan.pipeline}", shapes, arrows)),
    )


def pipeline_page(name: str, shapes: Sequence[Shape], arrows: Sequence[Arrow], about: str) -> str:
    """A pipeline: its graph and its parameters."""
    parameters = f" <span style='opacity:.7'>{_text(about)}</span>" if about else ""
    return _page(
        f"<div>pipeline <b>{_text(name)}</b>{parameters}</div>",
        draw(f"pipeline {name}", shapes, arrows),
    )


def error_page(error: MainspringError) -> str:
    """An error in place of what was asked for."""
    where = f"{error.where}: " if error.where else ""
    hint = f"<div style='opacity:.8'>hint: {_text(error.hint)}</div>" if error.hint else ""
    what = f"<div style='color:{COLORS['red']}'>{_text(where + error.what)}</div>"
    return _page(what, hint)


def headline(run: RunView) -> str:
    """One line on a run: state, name, id, how long, parameters."""
    status = wording.run_status(run)
    sign, style = wording.symbol_of(status)
    took = f" in {wording.duration(run.seconds)}" if run.seconds is not None else ""
    about = wording.settings(run.parameters)
    return (
        f'<div><span style="color:{COLORS.get(style, COLORS[""])}">{sign} {_text(status)}</span>'
        f"{took} <b>{_text(run.pipeline)}</b> {_text(about)} "
        f'<span style="opacity:.7;{_MONO}">{_text(run.id)}</span></div>'
    )


def task_table(tasks: Sequence[TaskView]) -> str:
    """Tasks as rows: those at work and failed ones before others, should there be too many."""
    chosen = list(tasks)
    if len(chosen) > _ROWS:
        rank = {"failed": 0, "running": 0, "open": 0, "waiting": 1}
        best = sorted(range(len(chosen)), key=lambda n: (rank.get(chosen[n].status, 2), n))
        kept = set(best[:_ROWS])
        chosen = [task for n, task in enumerate(chosen) if n in kept]
    rows: list[list[str]] = []
    for task in chosen:
        sign, style = wording.symbol_of(task.status)
        rows.append(
            [
                f'<span style="color:{COLORS.get(style, COLORS[""])}">{sign}</span>',
                _text(task.path),
                _text(task.status),
                _time(task),
                _text(_note(task)),
            ]
        )
    return _table(rows, len(tasks) - len(chosen))


def failure(path: str, error: TaskError) -> str:
    """What went wrong with a task, with the project's part of the traceback."""
    where = f"{error.where}: " if error.where else ""
    hint = f"<div style='opacity:.8'>hint: {_text(error.hint)}</div>" if error.hint else ""
    trace = (
        f'<pre style="margin:4px 0;white-space:pre-wrap;{_MONO};max-height:24em;overflow:auto">'
        f"{_text(error.traceback.strip(), lines=True)}</pre>"
        if error.traceback
        else ""
    )
    what = f"{path} failed: {where}{error.kind}: {error.message}"
    return (
        f'<div style="border-left:3px solid {COLORS["red"]};padding-left:8px;margin:6px 0">'
        f"<div>{_text(what, lines=True)}</div>{hint}{trace}</div>"
    )


def _note(task: TaskView) -> str:
    if task.total is not None and task.kind == "map":
        done = sum(n for status, n in task.children.items() if status in _DONE)
        failed = task.children.get("failed", 0)
        return f"{done}/{task.total}" + (f", {failed} failed" if failed else "")
    if task.error is not None and task.status == "failed":
        return task.error.message.partition("\n")[0]
    return f"from {task.source}" if task.source else task.reason or ""


_DONE = frozenset({"succeeded", "reused", "skipped", "failed", "blocked", "cancelled"})


def _time(task: TaskView) -> str:
    if task.status in ("running", "open") and task.started is not None:
        # A time of day stays true while nothing is drawn again.
        return f"since {wording.clock(task.started)[-8:]}"
    return wording.duration(task.seconds) if task.seconds and task.status != "reused" else ""


def _page(*parts: str) -> str:
    return f'<div style="{_FONT};line-height:1.5">{"".join(parts)}</div>'


def _folded(title: str, content: str) -> str:
    return (
        f"<details><summary style='cursor:pointer;opacity:.7'>{_text(title)}</summary>"
        f"{content}</details>"
    )


def _table(rows: Sequence[Sequence[str]], left: int) -> str:
    lines = [
        "<tr style='background:none'>"
        + "".join(f"<td style='{_CELL}'>{cell}</td>" for cell in row)
        + "</tr>"
        for row in rows
    ]
    more = f"<div style='opacity:.7'>… and {left} more</div>" if left > 0 else ""
    style = "border-collapse:collapse;margin:4px 0;font:inherit"
    return f"<table style='{style}'>{''.join(lines)}</table>{more}"


def _text(text: str, *, lines: bool = False) -> str:
    """A user's text: without control characters, escaped."""
    if lines:
        return "\n".join(escape(clean(line), quote=True) for line in text.split("\n"))
    return escape(clean(text), quote=True)
