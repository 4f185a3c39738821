"""The page that `mainspring show RUN` prints."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mainspring.app.views import ArtifactView, MetricView, RunDetail, RunView, TaskView
from mainspring.cli import wording
from mainspring.cli.screen import Cell, Screen, clean, clean_block
from mainspring.cli.tree import Entry, fold
from mainspring.records.imports import Import
from mainspring.records.metrics import Medium
from mainspring.records.runs import TaskError, Verdict

ARTIFACTS_SHOWN = 40


def write_run(screen: Screen, detail: RunDetail) -> None:
    """Write a run: what it was, its tasks, and what they made."""
    write_head(screen, detail.run, detail.counts, detail.imported)
    screen.line()
    _write_tasks(screen, detail.tasks)
    write_checkpoints(screen, detail.checkpoints)
    write_metrics(screen, detail.metrics, with_task=True)
    write_artifacts(screen, detail.artifacts, more=f"mainspring artifacts list {detail.run.id}")
    write_media(screen, detail.media)
    for found in detail.divergences:
        text = f"{found.task}.{found.output} differs from the earlier result of {found.source}"
        screen.line(f"{screen.paint('divergence:', 'bold yellow')} {clean(text)}")
    for task in detail.failed:
        if task.error is not None:
            screen.line()
            write_error(screen, task.path, task.error)
    if detail.failed:
        path = detail.failed[0].path
        screen.line(f"\n  mainspring logs {detail.run.id} '{path}'")


_RESUMABLE = ("interrupted", "paused", "failed", "cancelled")


def write_head(
    screen: Screen, run: RunView, counts: dict[str, int], imported: Import | None = None
) -> None:
    """Write what a run is and how it stands."""
    sign, style = wording.symbol_of(wording.run_status(run))
    took = f" in {wording.duration(run.seconds)}" if run.seconds is not None else ""
    state = screen.paint(f"{sign} {wording.run_status(run)}", style)
    screen.line(f"run {screen.paint(run.id, 'bold')}  {clean(run.pipeline)}  {state}{took}")
    facts = {
        "started": f"{wording.clock(run.created)} ({wording.ago(run.created)})",
        "parameters": wording.settings(run.parameters),
        "data": "; ".join(wording.sources(run.sources)),
        "seed": str(run.seed),
        "source": run.snapshot[7:19],
        "environment": (run.environment or "")[7:19],
        "rerun of": run.parent or "",
        "imported": _origin(imported) if imported else "",
        "asked for": run.wish if run.wish != "run" else "",
        "reason": run.reason or "",
        "tags": wording.tags(run.tags),
        "note": run.note or "",
        "tasks": wording.tally(counts),
        "go on": f"mainspring resume {run.id}" if wording.run_status(run) in _RESUMABLE else "",
    }
    screen.table([[Cell(name, "dim"), text] for name, text in facts.items() if text], indent=2)


def _origin(found: Import) -> str:
    by = f"signed by {found.signer_name or found.signer}" if found.signer else "signed by nobody"
    pickles = "; it has values that run code when loaded" if found.pickles else ""
    return f"{wording.clock(found.at)}, {by}{pickles}"


def _write_tasks(screen: Screen, tasks: Iterable[TaskView]) -> None:
    entries = [entry_of(task) for task in tasks]
    sources = {task.path: task for task in tasks}
    rows: list[list[Cell]] = []
    for row in fold(entries, groups=False):
        sign, style = wording.symbol_of(row.status)
        mark = Cell("  " * row.depth + sign + " " + row.label, style)
        if row.entry is None:
            rows.append(
                [
                    mark,
                    Cell(row.status, style),
                    Cell(""),
                    Cell(wording.plural(row.count, "task"), "dim"),
                ]
            )
            continue
        task = sources[row.entry.path]
        rows.append([mark, Cell(task.status, style), Cell(_took(task)), Cell(_detail(task), "dim")])
    screen.table(rows, indent=2)


def entry_of(task: TaskView) -> Entry:
    """Return a task as a line of a tree."""
    return Entry(
        task.path, task.kind, task.status, seconds=task.seconds, total=task.total,
        counts=dict(task.children),
    )  # fmt: skip


def _took(task: TaskView) -> str:
    return wording.duration(task.seconds) if task.status != "reused" else ""


def _detail(task: TaskView) -> str:
    if task.error is not None:
        return task.error.message.strip().partition("\n")[0]
    parts: list[str] = []
    if task.kind == "map" and task.total is not None:
        done = wording.tally(task.children)
        parts.append(f"{task.total} elements" + (f": {done}" if done else ""))
    elif task.source:
        parts.append(f"from {task.source}")
    elif task.reason:
        parts.append(task.reason)
    if task.attempts > 1:
        parts.append(f"{task.attempts} attempts")
    return "; ".join(parts)


def write_checkpoints(screen: Screen, verdicts: list[Verdict]) -> None:
    """Write what checkpoints have decided, on which values."""
    if not verdicts:
        return
    screen.line()
    screen.title("checkpoints")
    rows: list[list[Cell]] = []
    for verdict in verdicts:
        failed = "failed" if verdict.on_fail == "stop" else "warning"
        style = "green" if verdict.passed else "red"
        values = ", ".join(f"{name} = {_json(value)}" for name, value in verdict.values.items())
        rows.append(
            [
                Cell("passed" if verdict.passed else failed, style),
                Cell(verdict.task),
                Cell(verdict.kind, "dim"),
                Cell(f"{verdict.condition}  ({values})"),
            ]
        )
    screen.table(rows, indent=2)


def write_metrics(screen: Screen, metrics: list[MetricView], *, with_task: bool) -> None:
    """Write the last value of each metric, and its range."""
    if not metrics:
        return
    screen.line()
    screen.title("metrics")
    rows: list[list[Cell]] = []
    for metric in metrics:
        low, high = wording.number(metric.minimum), wording.number(metric.maximum)
        spread = f"{metric.count} points, {low} to {high}" if metric.count > 1 else ""
        row = [Cell(metric.name), Cell(wording.number(metric.last), "bold"), Cell(spread, "dim")]
        rows.append([Cell(metric.task), *row] if with_task else row)
    screen.table(rows, indent=2)


def write_artifacts(screen: Screen, artifacts: list[ArtifactView], *, more: str = "") -> None:
    """Write a line for each artifact."""
    if not artifacts:
        return
    screen.line()
    screen.title("artifacts")
    screen.table([artifact_row(found) for found in artifacts[:ARTIFACTS_SHOWN]], indent=2)
    left = len(artifacts) - ARTIFACTS_SHOWN
    if left > 0:
        screen.line(f"  … and {left} more: {more}")


_INSIDE = {"pickle": "", "custom": "code of the project reads it"}


def artifact_row(found: ArtifactView) -> list[Cell]:
    """Return an artifact as a row: its name, type, format, size and digest."""
    kind = found.type + (f" of {found.count}" if found.count is not None else "")
    inside = "" if found.data_only else _INSIDE.get(found.format, "pickle inside")
    form = f"{found.format} ({inside})" if inside else found.format
    return [
        Cell(f"{found.task}.{found.output}"),
        Cell(kind),
        Cell(form, "" if found.data_only else "yellow"),
        Cell(wording.size(found.size)),
        Cell(found.digest[7:19], "dim"),
    ]


def write_media(screen: Screen, media: list[Medium]) -> None:
    """Write a line for each figure and table that was logged."""
    if not media:
        return
    screen.line()
    screen.title("figures and tables")
    rows = [
        [m.task, m.name, m.mime, wording.size(m.size), Cell(m.digest[7:19], "dim")] for m in media
    ]
    screen.table(rows, indent=2)


def write_error(screen: Screen, path: str, error: TaskError) -> None:
    """Write why a task failed, with its traceback."""
    screen.line(f"{screen.paint('failed:', 'bold red')} {screen.paint(clean(path), 'bold')}")
    place = f"{error.where}: " if error.where else ""
    screen.line(f"  {clean_block(place)}{clean_block(error.kind)}: {clean_block(error.message)}")
    if error.hint:
        screen.line(f"  {screen.paint('hint:', 'bold')} {clean_block(error.hint)}")
    for line in clean_block(error.traceback).splitlines():
        screen.line(screen.paint(f"    {line}", "dim"))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
