"""The verb `why`: why a task ran, or why its result was reused; said by the code that decides."""

from __future__ import annotations

from mainspring.app import views
from mainspring.app.project import Project
from mainspring.app.showing import task_view
from mainspring.app.sources import compare
from mainspring.planning.explain import differences
from mainspring.records.errors import NotFoundError
from mainspring.records.runs import Run, Task
from mainspring.records.status import TaskStatus
from mainspring.records.stores import KeyParts, RunFilter

LOOK_BACK = 500
"""How many runs back an earlier task at the same path is looked for."""

_STOPPED = frozenset({TaskStatus.FAILED, TaskStatus.BLOCKED, TaskStatus.CANCELLED})


def explain(project: Project, run: Run, path: str) -> views.WhyView:
    """Return why a task ran, was reused, skipped or blocked. Raises NotFoundError."""
    read = project.store.read
    task = read.find_task(run.id, path)
    parts = read.key_parts(task.id)
    before = _compared(project, run, task) if parts is not None else None
    counts = read.counts(run.id).get(task.id, {}) if task.total is not None else {}
    return views.WhyView(
        run=run.id,
        task=task.path,
        status=task.status.value,
        reason=task.reason or _stopped_by(task),
        source=task.source,
        compared=f"{before.run}/{before.path}" if before else None,
        differences=(
            differences(before, parts, lambda old, new: compare(project, old, new))
            if before and parts
            else []
        ),
        inputs=parts.inputs if parts else {},
        because=_because(project, run, task),
        children={status.value: count for status, count in counts.items()},
    )


def _stopped_by(task: Task) -> str | None:
    return task.error.message if task.error is not None else None


def _compared(project: Project, run: Run, task: Task) -> KeyParts | None:
    """What the task is compared with: where its result came from, or what was there before."""
    if task.source is not None:
        return _source(project, task.source)
    read = project.store.read
    earlier = read.runs(RunFilter(pipeline=run.pipeline, limit=LOOK_BACK))
    for other in earlier:
        if other.id == run.id or other.created > run.created:
            continue
        try:
            found = read.key_parts(read.find_task(other.id, task.path).id)
        except NotFoundError:
            continue
        if found is not None:
            return found
    return None


def _source(project: Project, source: str) -> KeyParts | None:
    read = project.store.read
    run, _, path = source.partition("/")
    try:
        return read.key_parts(read.find_task(run, path).id)
    except NotFoundError:  # its run was deleted since
        return None


def _because(project: Project, run: Run, task: Task) -> list[views.TaskView]:
    """The tasks before it that stopped it from running."""
    if task.status not in (TaskStatus.BLOCKED, TaskStatus.SKIPPED):
        return []
    read = project.store.read
    wanted = _STOPPED if task.status is TaskStatus.BLOCKED else {TaskStatus.SKIPPED}
    before = {up for up, down in read.edges(run.id) if down == task.id}
    found = [other for other in read.top_tasks(run.id) if other.id in before]
    return [task_view(other) for other in found if other.status in wanted]
