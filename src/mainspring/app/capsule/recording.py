"""A run of a capsule put on record, as it was where it was made, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from mainspring.app.capsule.collecting import last_success
from mainspring.app.capsule.opening import Opened
from mainspring.app.project import Project
from mainspring.execution.orders import attempt_id
from mainspring.records import capsule
from mainspring.records.errors import CapsuleError
from mainspring.records.imports import Import
from mainspring.records.metrics import Medium, Point
from mainspring.records.plan import Cached
from mainspring.records.runs import Attempt, Run, Task, Verdict
from mainspring.records.stores import NewTask, Transaction
from mainspring.storage.rows import floats_back

LONGEST_LINE = 1 << 20
_lines = msgspec.json.Decoder(capsule.PastPoints)


def record(
    project: Project, found: Opened, spec: bytes, metrics: Iterable[bytes], origin: Import
) -> None:
    """Put the run on record. Its results can be reused here only if somebody vouches for them: a
    key would give them to every run that needs the same.

    Raises CapsuleError for metrics that can't be read; nothing is recorded then.
    """
    past = found.capsule.past
    run = past.run
    with project.store.write([run.id]) as tx:
        tx.add_run(run, spec)
        for digest, static in past.statics.items():
            tx.add_static(digest, static)
        ids = _add_tasks(tx, run, past.tasks)
        tx.add_edges([(ids[up], ids[n]) for n, task in enumerate(past.tasks) for up in task.after])
        tx.restore(_tasks(run, past.tasks, ids), list(_attempts(run, past.tasks, ids)))
        if found.signer is not None:
            for result in past.results:
                tx.add_result(_cached(run, past.tasks[result.task], result, ids[result.task]))
        _add_rest(tx, run, past, ids)
        for place, number, points in points_of(past, metrics):
            name = attempt_id(run.id, ids[place], number)
            tx.add_points(run.id, ids[place], name, points, 0)
        tx.add_import(origin)


def _add_tasks(tx: Transaction, run: Run, tasks: tuple[capsule.PastTask, ...]) -> list[int]:
    """Insert them in order, parents before their children; their ids here."""
    ids: list[int] = []
    batch: list[NewTask] = []
    for task in tasks:
        if task.parent is not None and task.parent >= len(ids):
            ids += tx.add_tasks(run.id, batch)
            batch = []
        batch.append(_new(task, None if task.parent is None else ids[task.parent], run))
    return ids + tx.add_tasks(run.id, batch)


def _new(task: capsule.PastTask, parent: int | None, run: Run) -> NewTask:
    return NewTask(
        path=task.path,
        node=task.node,
        kind=task.kind,
        status=task.status,
        parent=parent,
        index=task.index,
        key=task.key,
        static=task.static,
        seed=task.seed,
        inputs=task.inputs,
        outputs=task.outputs,
        source=task.source,
        reason=task.reason,
        at=task.ended or run.ended,
    )


def _tasks(run: Run, tasks: tuple[capsule.PastTask, ...], ids: list[int]) -> list[Task]:
    return [
        Task(
            id=id,
            run=run.id,
            path=task.path,
            node=task.node,
            kind=task.kind,
            status=task.status,
            total=task.total,
            expanded=task.expanded,
            tries=task.tries,
            lost=task.lost,
            attempts=len(task.attempts),
            error=task.error,
            started=task.started,
            ended=task.ended,
        )
        for id, task in zip(ids, tasks, strict=True)
    ]


def _attempts(run: Run, tasks: tuple[capsule.PastTask, ...], ids: list[int]) -> Iterator[Attempt]:
    """The attempts, under names of this store: a name is a directory too."""
    for id, task in zip(ids, tasks, strict=True):
        for attempt in task.attempts:
            yield Attempt(
                id=attempt_id(run.id, id, attempt.number),
                task=id,
                run=run.id,
                number=attempt.number,
                status=attempt.status,
                engine="",
                epoch=0,
                started=attempt.started,
                ended=attempt.ended or attempt.started,
                error=attempt.error,
                usage=attempt.usage,
            )


def _cached(run: Run, task: capsule.PastTask, result: capsule.PastResult, id: int) -> Cached:
    assert task.key is not None
    number = last_success(task)
    return Cached(
        key=task.key,
        run=run.id,
        task=task.path,
        attempt=attempt_id(run.id, id, number) if number else "",
        outputs=task.outputs,
        reads=result.reads,
        impure=result.impure,
        ended=result.ended,
        wall=result.wall,
    )


def _add_rest(tx: Transaction, run: Run, past: capsule.Past, ids: list[int]) -> None:
    for found in past.verdicts:
        fields = msgspec.structs.asdict(found)
        fields |= {"run": run.id, "values": floats_back(found.values)}
        tx.add_verdict(Verdict(**fields))
    tx.add_divergences(run.id, [(d.task, d.output, d.source) for d in past.divergences])
    for medium in past.media:
        id = ids[medium.task]
        name = attempt_id(run.id, id, medium.attempt)
        tx.add_media(
            run.id,
            id,
            [
                Medium(
                    task=past.tasks[medium.task].path,
                    attempt=name,
                    name=medium.name,
                    kind=medium.kind,
                    digest=medium.digest,
                    size=medium.size,
                    mime=medium.mime,
                    step=medium.step,
                )
            ],
        )
    tx.set_tags(run.id, past.tags)
    if past.note:
        tx.set_note(run.id, past.note)


def points_of(
    past: capsule.Past, metrics: Iterable[bytes]
) -> Iterator[tuple[int, int, list[Point]]]:
    """Yield the points of `metrics.jsonl` as (place of the task, number of its last attempt, some
    points of a metric). Raises CapsuleError for a line that can't be read."""
    tries = {task.path: (n, max(len(task.attempts), 1)) for n, task in enumerate(past.tasks)}
    for line in _split(metrics):
        try:
            found = _lines.decode(line)
            place, number = tries[found.task]
            points = [_point(found.name, *point) for point in found.points]
        except (msgspec.MsgspecError, KeyError, ValueError, RecursionError) as error:
            raise CapsuleError(
                f"refused: metrics that can't be read: {error}", offence="metrics"
            ) from None
        yield place, number, points


def _point(name: str, step: float | None, value: float | str | None, at: float) -> Point:
    return Point(name=name, value=float("nan") if value is None else float(value), step=step, at=at)


def _split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines in a stream of bytes. Raises CapsuleError for one that is too long."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > LONGEST_LINE:
            raise CapsuleError("refused: a line of metrics is too long", offence="metrics")
    if rest:
        raise CapsuleError("refused: the metrics end within a line", offence="metrics")
