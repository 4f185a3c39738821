"""A run as its capsule tells it: its records, without the numbers and names of this store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from mainspring.app.project import Project
from mainspring.records import capsule
from mainspring.records.plan import Cached
from mainspring.records.runs import Attempt, Run, Task
from mainspring.records.source import Static
from mainspring.records.status import AttemptStatus
from mainspring.records.stores import Reader

POINTS = 1000
"""Points of a metric in one line."""


def past_of(project: Project, run: Run) -> capsule.Past:
    """Return everything on record of a run that has ended, but its metrics."""
    read = project.store.read
    tasks = read.tasks(run.id)
    places = {task.id: place for place, task in enumerate(tasks)}
    after: dict[int, list[int]] = {}
    for up, down in read.edges(run.id):
        after.setdefault(down, []).append(places[up])
    statics: dict[str, Static] = {}
    tries = {task.id: read.attempts(task.id) for task in tasks}
    found = [
        _task(read, task, places, after.get(task.id, []), statics, tries[task.id]) for task in tasks
    ]
    numbers = {attempt.id: attempt.number for made in tries.values() for attempt in made}
    by_path = {task.path: place for place, task in enumerate(tasks)}
    return capsule.Past(
        run=run,
        tasks=tuple(found),
        statics=dict(sorted(statics.items())),
        results=tuple(_results(read, found)),
        verdicts=tuple(_verdicts(read, run.id)),
        divergences=tuple(
            capsule.PastDivergence(task=task, output=output, source=source)
            for task, output, source in read.divergences(run.id)
        ),
        media=tuple(_media(read, run.id, by_path, numbers)),
        tags=_tags(read, run.id),
        note=read.notes([run.id]).get(run.id, ""),
    )


def _task(
    read: Reader,
    task: Task,
    places: Mapping[int, int],
    after: list[int],
    statics: dict[str, Static],
    attempts: Sequence[Attempt],
) -> capsule.PastTask:
    parts = read.key_parts(task.id)
    if parts is not None and task.static is not None:
        statics[task.static] = parts.static
    return capsule.PastTask(
        path=task.path,
        node=task.node,
        kind=task.kind,
        status=task.status,
        parent=None if task.parent is None else places[task.parent],
        after=tuple(sorted(after)),
        index=task.index,
        total=task.total,
        expanded=task.expanded,
        key=task.key if parts is not None else None,
        static=task.static if parts is not None else None,
        seed=task.seed,
        tries=task.tries,
        lost=task.lost,
        reason=task.reason,
        source=task.source,
        error=task.error,
        started=task.started,
        ended=task.ended,
        inputs=parts.inputs if parts is not None else {},
        outputs=read.outputs(task.id),
        attempts=tuple(_attempt(attempt) for attempt in attempts),
    )


def _attempt(attempt: Attempt) -> capsule.PastAttempt:
    return capsule.PastAttempt(
        number=attempt.number,
        status=attempt.status,
        started=attempt.started,
        ended=attempt.ended,
        error=attempt.error,
        usage=attempt.usage,
    )


def _results(read: Reader, tasks: list[capsule.PastTask]) -> Iterator[capsule.PastResult]:
    """What makes outputs usable again, where they are those of the key's result."""
    for place, task in enumerate(tasks):
        if task.key is None or not task.outputs:
            continue
        found = _result(read.lookup(task.key), task)
        if found is not None:
            yield capsule.PastResult(
                task=place,
                reads=found.reads,
                impure=found.impure,
                ended=found.ended,
                wall=found.wall,
            )


def _result(known: Sequence[Cached], task: capsule.PastTask) -> Cached | None:
    return next((cached for cached in known if cached.outputs == task.outputs), None)


def _verdicts(read: Reader, run: str) -> Iterator[capsule.PastVerdict]:
    for verdict in read.verdicts(run):
        fields = msgspec.structs.asdict(verdict)
        del fields["run"]
        yield capsule.PastVerdict(**fields)


def _media(
    read: Reader, run: str, places: Mapping[str, int], numbers: Mapping[str, int]
) -> Iterator[capsule.PastMedium]:
    for medium in read.media(run):
        yield capsule.PastMedium(
            task=places[medium.task],
            attempt=numbers.get(medium.attempt, 1),
            name=medium.name,
            kind=medium.kind,
            digest=medium.digest,
            size=medium.size,
            mime=medium.mime,
            step=medium.step,
        )


def _tags(read: Reader, run: str) -> dict[str, str]:
    facts = read.facts([run]).get(run, {})
    start = "tags."
    return {n.removeprefix(start): str(f) for n, f in sorted(facts.items()) if n.startswith(start)}


def metric_lines(read: Reader, run: str) -> Iterator[bytes]:
    """Yield the lines of `metrics.jsonl`: the points of each metric, some at a time."""
    encode = msgspec.json.Encoder().encode
    for metric in read.metrics(run):
        points = read.points(run, metric.task, metric.name)
        for start in range(0, len(points), POINTS):
            part = tuple(
                (point.step, written(point.value), point.at)
                for point in points[start : start + POINTS]
            )
            line = capsule.PastPoints(task=metric.task, name=metric.name, points=part)
            yield encode(line) + b"\n"


def written(value: float) -> float | str | None:
    """Return a metric's value as JSON has it."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def last_success(task: capsule.PastTask) -> int:
    """Return the number of the attempt that made a task's outputs, 0 where none did here."""
    found = [a.number for a in task.attempts if a.status is AttemptStatus.SUCCEEDED]
    return found[-1] if found else 0
