"""The verb `show`: a run or a task, and all that belongs to it, as a record to be printed."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeVar

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

MOST = 1000
"""How many metrics, figures, divergences and children a view lists."""

T = TypeVar("T")


def run_detail(project: Project, run: Run) -> views.RunDetail:
    """Return everything about a run that fits on a page, whatever the size of its maps."""
    read = project.store.read
    counts = read.counts(run.id)
    top = read.top_tasks(run.id)
    cut: list[str] = []
    failed = first(_failed(project, run.id), FAILED_SHOWN, "failed", cut)
    metrics = first(read.metrics(run.id, limit=MOST + 1), MOST, "metrics", cut)
    media = first(read.media(run.id, limit=MOST + 1), MOST, "media", cut)
    divergences = first(read.divergences(run.id), MOST, "divergences", cut)
    return views.RunDetail(
        run=run_view(project, run),
        counts=total_counts(counts),
        tasks=[task_view(task, counts) for task in top],
        failed=[task_view(task, counts) for task in failed],
        edges=edges_of(project, run, top),
        checkpoints=read.verdicts(run.id),
        metrics=[_metric(found) for found in metrics],
        artifacts=[
            views.artifact_view(path, name, ref)
            for path, name, ref in read.artifacts(run.id, elements=False)
        ],
        media=media,
        divergences=[
            views.DivergenceView(task=task, output=output, source=source)
            for task, output, source in divergences
        ],
        verifications=read.verifications(run.id),
        cut=cut,
        imported=read.imported(run.id),
    )


def first(found: list[T], most: int, name: str, cut: list[str]) -> list[T]:
    """Return the first `most` of a list; if there are more, its name is noted in `cut`."""
    if len(found) > most:
        cut.append(name)
    return found[:most]


def _failed(project: Project, run: str) -> list[Task]:
    """The first of the failed tasks, those that say why before all: a few more than are shown."""
    found = project.store.read.tasks(run, status=TaskStatus.FAILED, limit=2 * MOST)
    return _telling(found)


def _telling(failed: list[Task]) -> list[Task]:
    """Failed tasks without the maps and repeats that failed only because a child did."""
    parents = {task.parent for task in failed if task.parent is not None}
    return [task for task in failed if task.id not in parents]


def result_of(project: Project, run: str, exit_code: int) -> views.ResultView:
    """Return what a run came to."""
    read = project.store.read
    counts = read.counts(run)
    failed = _failed(project, run)[:FAILED_SHOWN]
    return views.ResultView(
        run=run_view(project, read.run(run)),
        counts=total_counts(counts),
        failed=[task_view(task, counts) for task in failed],
        exit_code=exit_code,
    )


def task_detail(
    project: Project, run: Run, path: str, *, first: int | None = None, limit: int = MOST
) -> views.TaskDetail:
    """Return everything about a task. Raises NotFoundError.

    Of a map, `limit` elements from number `first` on; without `first`, those that failed (some of
    them) and then the first ones.
    """
    read = project.store.read
    task = read.find_task(run.id, path)
    attempts = read.attempts(task.id)
    parts = read.key_parts(task.id)
    log = project.home / "attempts" / attempts[-1].id / "log" if attempts else None
    opens = task.total is not None
    counts = read.counts(run.id) if opens else {}
    children = _children(project, run.id, task, first, limit) if opens else []
    return views.TaskDetail(
        run=run.id,
        task=task_view(task, counts),
        attempts=attempts,
        inputs=parts.inputs if parts else {},
        artifacts=[views.artifact_view(path, n, r) for n, r in read.outputs(task.id).items()],
        children=[task_view(child, counts) for child in children],
        metrics=[_metric(found) for found in read.metrics(run.id, task=task.id, limit=MOST)],
        media=read.media(run.id, task=task.id, limit=MOST),
        checkpoints=[verdict for verdict in read.verdicts(run.id) if verdict.task == path],
        log=str(log) if log and log.exists() else None,
    )


def _children(project: Project, run: str, task: Task, first: int | None, limit: int) -> list[Task]:
    read = project.store.read
    if task.kind != "map":
        return read.tasks(run, parent=task.id, limit=limit)
    if first is not None:
        return read.elements(task.id, first, limit)
    failed = read.tasks(run, status=TaskStatus.FAILED, limit=2 * MOST)
    telling = [child for child in failed if child.parent == task.id][: min(FAILED_SHOWN, limit)]
    known = {child.id for child in telling}
    others = read.elements(task.id, 0, limit)
    return (telling + [child for child in others if child.id not in known])[:limit]


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
        last=finite(found.last),
        step=found.step,
        count=found.count,
        minimum=finite(found.minimum),
        maximum=finite(found.maximum),
    )


def finite(value: float | None) -> float | None:
    """Return a number as JSON can write it: what is none, or without end, is None."""
    return value if value is not None and math.isfinite(value) else None
