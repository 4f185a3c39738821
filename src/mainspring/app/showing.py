"""The verb `show`: a run or a task, and all that belongs to it, as a record to be printed."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping

from mainspring.app import views
from mainspring.app.listing import run_view
from mainspring.app.project import Project
from mainspring.app.running import load_spec
from mainspring.planning.expand import RunGraph
from mainspring.records.metrics import MetricSummary
from mainspring.records.runs import Run, Task
from mainspring.records.status import TaskStatus

FAILED_SHOWN = 100
"""How many failed elements of maps a run's view lists."""


def run_detail(project: Project, run: Run) -> views.RunDetail:
    """Return everything about a run that fits on a page."""
    read = project.store.read
    counts = read.counts(run.id)
    tasks = read.tasks(run.id)
    top = [task for task in tasks if task.index is None]
    failed = [task for task in tasks if task.status is TaskStatus.FAILED]
    paths = {task.path for task in top}
    return views.RunDetail(
        run=run_view(project, run),
        counts=total_counts(counts),
        tasks=[task_view(task, counts) for task in top],
        failed=[task_view(task, counts) for task in _telling(failed)[:FAILED_SHOWN]],
        edges=edges_of(project, run, top),
        checkpoints=read.verdicts(run.id),
        metrics=[_metric(found) for found in read.metrics(run.id)],
        artifacts=[
            views.artifact_view(path, name, ref)
            for path, name, ref in read.artifacts(run.id)
            if path in paths
        ],
        media=read.media(run.id),
        divergences=[
            views.DivergenceView(task=task, output=output, source=source)
            for task, output, source in read.divergences(run.id)
        ],
    )


def _telling(failed: list[Task]) -> list[Task]:
    """Failed tasks without the maps and repeats that failed only because a child did."""
    parents = {task.parent for task in failed if task.parent is not None}
    return [task for task in failed if task.id not in parents]


def result_of(project: Project, run: str, exit_code: int) -> views.ResultView:
    """Return what a run came to."""
    read = project.store.read
    counts = read.counts(run)
    failed: list[Task] = []
    if any(found.get(TaskStatus.FAILED) for found in counts.values()):
        failed = _telling([t for t in read.tasks(run) if t.status is TaskStatus.FAILED])
    return views.ResultView(
        run=run_view(project, read.run(run)),
        counts=total_counts(counts),
        failed=[task_view(task, counts) for task in failed[:FAILED_SHOWN]],
        exit_code=exit_code,
    )


def task_detail(project: Project, run: Run, path: str) -> views.TaskDetail:
    """Return everything about a task. Raises NotFoundError."""
    read = project.store.read
    task = read.find_task(run.id, path)
    attempts = read.attempts(task.id)
    parts = read.key_parts(task.id)
    log = project.home / "attempts" / attempts[-1].id / "log" if attempts else None
    opens = task.total is not None
    counts = read.counts(run.id) if opens else {}
    children = read.tasks(run.id, parent=task.id) if opens else []
    return views.TaskDetail(
        run=run.id,
        task=task_view(task, counts),
        attempts=attempts,
        inputs=parts.inputs if parts else {},
        artifacts=[views.artifact_view(path, n, r) for n, r in read.outputs(task.id).items()],
        children=[task_view(child, counts) for child in children],
        metrics=[_metric(found) for found in read.metrics(run.id) if found.task == path],
        media=[medium for medium in read.media(run.id) if medium.task == path],
        checkpoints=[verdict for verdict in read.verdicts(run.id) if verdict.task == path],
        log=str(log) if log and log.exists() else None,
    )


def task_view(
    task: Task, counts: Mapping[int | None, Mapping[TaskStatus, int]] = {}
) -> views.TaskView:
    """Return a task as it is shown."""
    seconds = None
    if task.started is not None:
        seconds = max(0.0, (task.ended or time.time()) - task.started)
    return views.TaskView(
        path=task.path,
        node=task.node,
        kind=task.kind,
        status=task.status.value,
        reason=task.reason,
        source=task.source,
        started=task.started,
        ended=task.ended,
        seconds=seconds,
        attempts=task.attempts,
        total=task.total,
        children={s.value: n for s, n in counts.get(task.id, {}).items()},
        key=task.key,
        error=task.error,
    )


def total_counts(counts: Mapping[int | None, Mapping[TaskStatus, int]]) -> dict[str, int]:
    """Return how many tasks a run has by status."""
    total: Counter[str] = Counter()
    for found in counts.values():
        total.update({status.value: count for status, count in found.items()})
    return dict(total)


def edges_of(project: Project, run: Run, tasks: Iterable[Task]) -> list[views.EdgeView]:
    """Return what has to be settled before what, by the spec and the rounds there were."""
    graph = RunGraph(load_spec(project, run), run.parameters)
    for task in tasks:
        if task.kind == "repeat" and task.total and task.path in graph.graph.nodes:
            graph.round(task.path, task.total)
    return [
        views.EdgeView(after=dep, task=path, guard=dep in node.guards)
        for path, node in graph.graph.nodes.items()
        for dep in node.deps
    ]


def _metric(found: MetricSummary) -> views.MetricView:
    return views.MetricView(
        task=found.task,
        name=found.name,
        last=_finite(found.last),
        step=found.step,
        count=found.count,
        minimum=_finite(found.minimum),
        maximum=_finite(found.maximum),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
