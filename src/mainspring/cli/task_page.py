"""The page that `mainspring show RUN TASK` prints."""

from __future__ import annotations

from mainspring.app.views import TaskDetail
from mainspring.cli import wording
from mainspring.cli.run_page import (
    write_artifacts,
    write_checkpoints,
    write_error,
    write_media,
    write_metrics,
)
from mainspring.cli.screen import Cell, Screen, clean
from mainspring.records.runs import Attempt


def write_task(screen: Screen, detail: TaskDetail) -> None:
    """Write a task: what it came to and why, its attempts, inputs and outputs."""
    task = detail.task
    sign, style = wording.symbol_of(task.status)
    state = screen.paint(f"{sign} {task.status}", style)
    screen.line(f"{screen.paint(clean(task.path), 'bold')}  {task.kind}  {state}")
    facts = {
        "run": detail.run,
        "took": wording.duration(task.seconds) if task.status != "reused" else "",
        "reason": task.reason or "",
        "from": task.source or "",
        "elements" if task.kind == "map" else "children": wording.tally(task.children),
        "log": detail.log or "",
    }
    screen.table([[Cell(name, "dim"), text] for name, text in facts.items() if text], indent=2)
    _write_inputs(screen, detail.inputs)
    _write_attempts(screen, detail.attempts)
    _write_children(screen, detail)
    write_checkpoints(screen, detail.checkpoints)
    write_metrics(screen, detail.metrics, with_task=False)
    write_artifacts(screen, detail.artifacts)
    write_media(screen, detail.media)
    if task.error is not None:
        screen.line()
        write_error(screen, task.path, task.error)


def _write_inputs(screen: Screen, inputs: dict[str, tuple[str, str]]) -> None:
    if inputs:
        screen.line()
        screen.title("inputs")
        screen.table([[name, text] for name, (_, text) in inputs.items()], indent=2)


def _write_attempts(screen: Screen, attempts: list[Attempt]) -> None:
    if not attempts:
        return
    screen.line()
    screen.title("attempts")
    rows: list[list[Cell]] = []
    for attempt in attempts:
        sign, style = wording.symbol_of(attempt.status.value)
        usage = attempt.usage
        used = ""
        if usage is not None:
            used = f"{wording.duration(usage.wall)}, CPU {wording.duration(usage.cpu)}"
            used += f", {wording.size(usage.peak_memory)}" if usage.peak_memory else ""
        rows.append(
            [
                Cell(str(attempt.number)),
                Cell(f"{sign} {attempt.status.value}", style),
                Cell(wording.clock(attempt.started)),
                Cell(used),
                Cell(attempt.error.message if attempt.error else "", "dim"),
            ]
        )
    screen.table(rows, indent=2)


def _write_children(screen: Screen, detail: TaskDetail) -> None:
    if not detail.children:
        return
    screen.line()
    screen.title("children")
    rows: list[list[Cell]] = []
    for child in detail.children:
        sign, style = wording.symbol_of(child.status)
        reason = child.error.message if child.error else child.reason or ""
        took = wording.duration(child.seconds) if child.status != "reused" else ""
        rows.append(
            [
                Cell(f"{sign} {child.path}", style),
                Cell(child.status),
                Cell(took),
                Cell(reason, "dim"),
            ]
        )
    screen.table(rows, indent=2)
    left = sum(detail.task.children.values()) - len(detail.children)
    if left > 0:
        how = f"mainspring show {detail.run} '{detail.task.path}' --first INDEX --limit N"
        screen.line(f"  … {left} more: {how}" if detail.task.kind == "map" else f"  … {left} more")
