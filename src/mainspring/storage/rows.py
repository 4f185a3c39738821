"""Rows to records and back: the columns' order here is that of the `columns` of sql/*.sql."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar, cast

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.canonical import canonical
from mainspring.records.errors import StoreError
from mainspring.records.facts import Fact
from mainspring.records.plan import Cached
from mainspring.records.runs import Attempt, Run, Task, TaskError, Usage, Verdict
from mainspring.records.source import Static
from mainspring.records.sources import Source
from mainspring.records.status import AttemptStatus, RunStatus, TaskStatus, Wish
from mainspring.records.stores import KeyParts, Upstream
from mainspring.storage.sessions import Row

RUN_STATUS = {status.value: status for status in RunStatus}
TASK_STATUS = {status.value: status for status in TaskStatus}
ATTEMPT_STATUS = {status.value: status for status in AttemptStatus}
WISH = {wish.value: wish for wish in Wish}

T = TypeVar("T")
P = ParamSpec("P")


def readable(read: Callable[P, T]) -> Callable[P, T]:
    """Decorator: what can't be read from a row was damaged, or edited by hand; that is no bug."""

    @wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
            said = f"it has {error}" if isinstance(error, KeyError) else str(error)
            raise StoreError(
                f"a record in the store can't be read: {said}",
                hint="it was damaged, or edited by hand: restore the store from a backup",
            ) from error

    return reading


class _Json(Generic[T]):
    """A decoder that is built when it is first needed: listing runs needs none of them."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._decode: Callable[[str], T] | None = None

    def decode(self, text: str) -> T:
        if self._decode is None:
            self._decode = cast("Callable[[str], T]", msgspec.json.Decoder(self._kind).decode)
        return self._decode(text)


_encoder = msgspec.json.Encoder()
_error = _Json[TaskError](TaskError)
_usage = _Json[Usage](Usage)
_inputs = _Json[dict[str, tuple[str, str]]](dict[str, tuple[str, str]])
_outputs = _Json[dict[str, ArtifactRef]](dict[str, ArtifactRef])
_reads = _Json[dict[str, str]](dict[str, str])
_sources = _Json[dict[str, Source]](dict[str, Source])
_impure = _Json[tuple[str, ...]](tuple[str, ...])
_static = _Json[Static](Static)


def json_text(value: Any) -> str:
    """JSON of records and plain containers of text and numbers."""
    return _encoder.encode(value).decode()


def json_or_null(value: Any) -> str | None:
    """Likewise, with None for None."""
    return None if value is None else _encoder.encode(value).decode()


def free_json(value: Any) -> str:
    """JSON of a user's value; floats that JSON has no word for survive (records/canonical.py)."""
    return canonical(value).decode()


def from_free_json(text: str) -> Any:
    """The value that `free_json` wrote."""
    value = msgspec.json.decode(text)
    return floats_back(value) if '"$float"' in text else value


def floats_back(value: Any) -> Any:
    """A value read from JSON, with the floats that `free_json` gave names to."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        if len(items) == 1 and items.get("$float") in ("nan", "inf", "-inf"):
            return float(items["$float"])
        return {name: floats_back(item) for name, item in items.items()}
    if isinstance(value, list):
        elements = cast("list[Any]", value)
        return [floats_back(item) for item in elements]
    return value


def seed_text(seed: int | None) -> str | None:
    """A seed as its column holds it."""
    return None if seed is None else str(seed)


@readable
def inputs_of(text: str | None) -> dict[str, tuple[str, str]]:
    """A task's `inputs` column."""
    return {} if text is None else _inputs.decode(text)


@readable
def outputs_of(text: str) -> dict[str, ArtifactRef]:
    """A result's `outputs` column."""
    return _outputs.decode(text)


@readable
def sources_of(text: str) -> dict[str, Source]:
    """A run's `sources` column."""
    return {} if text == "{}" else _sources.decode(text)


def run_row(run: Run) -> Row:
    """A run as the columns of sql/runs.sql."""
    return (
        run.id, run.pipeline, run.status.value, run.wish.value, run.spec, run.snapshot,
        free_json(run.parameters), str(run.seed), run.created, run.started, run.ended,
        run.parent, run.reason, free_json(list(run.forced)), json_text(run.sources),
        run.environment,
    )  # fmt: skip


@readable
def run_of(row: Row) -> Run:
    """The run of a row of sql/runs.sql's columns."""
    return Run(
        id=row[0],
        pipeline=row[1],
        status=RUN_STATUS[row[2]],
        wish=WISH[row[3]],
        spec=row[4],
        snapshot=row[5],
        parameters=from_free_json(row[6]),
        seed=int(row[7]),
        created=row[8],
        started=row[9],
        ended=row[10],
        parent=row[11],
        reason=row[12],
        forced=tuple(from_free_json(row[13])),
        sources=sources_of(row[14]),
        environment=row[15],
    )


@readable
def task_of(row: Row) -> Task:
    """The task of a row of sql/tasks.sql's columns."""
    seed, error = row[13], row[20]
    return Task(
        id=row[0],
        run=row[1],
        path=row[2],
        node=row[3],
        kind=row[4],
        status=TASK_STATUS[row[5]],
        pending=row[6],
        parent=row[7],
        index=row[8],
        total=row[9],
        expanded=row[10],
        key=row[11],
        static=row[12],
        seed=None if seed is None else int(seed),
        tries=row[14],
        lost=row[15],
        attempts=row[16],
        not_before=row[17],
        reason=row[18],
        source=row[19],
        error=None if error is None else _error.decode(error),
        started=row[21],
        ended=row[22],
    )


def attempt_row(attempt: Attempt) -> Row:
    """An attempt as the columns of sql/attempts.sql."""
    return (
        attempt.id, attempt.task, attempt.run, attempt.number, attempt.status.value,
        attempt.engine, attempt.epoch, attempt.started, attempt.ended,
        json_or_null(attempt.error), json_or_null(attempt.usage),
    )  # fmt: skip


@readable
def attempt_of(row: Row) -> Attempt:
    """The attempt of a row of sql/attempts.sql's columns."""
    return Attempt(
        id=row[0],
        task=row[1],
        run=row[2],
        number=row[3],
        status=ATTEMPT_STATUS[row[4]],
        engine=row[5],
        epoch=row[6],
        started=row[7],
        ended=row[8],
        error=None if row[9] is None else _error.decode(row[9]),
        usage=None if row[10] is None else _usage.decode(row[10]),
    )


def artifact_rows(task: int, outputs: Mapping[str, ArtifactRef]) -> Iterable[Row]:
    """A task's outputs as rows of its artifacts, in order."""
    return [
        (task, i, name, r.digest, r.size, r.format, r.type, r.data_only, r.count)
        for i, (name, r) in enumerate(outputs.items())
    ]


def artifact_of(row: Row, start: int = 0) -> ArtifactRef:
    """The reference in the six columns (after the output's name) that begin at `start`."""
    return ArtifactRef(
        digest=row[start],
        size=row[start + 1],
        format=row[start + 2],
        type=row[start + 3],
        data_only=bool(row[start + 4]),
        count=row[start + 5],
    )


@readable
def upstream_of(rows: Iterable[Row]) -> dict[Any, Upstream]:
    """Rows (what to call it, status, one artifact's columns or NULLs) as one Upstream for each."""
    status: dict[Any, TaskStatus] = {}
    outputs: dict[Any, dict[str, ArtifactRef]] = {}
    for row in rows:
        name = row[0]
        if name not in status:
            status[name] = TASK_STATUS[row[1]]
            outputs[name] = {}
        if row[2] is not None:
            outputs[name][row[2]] = artifact_of(row, 3)
    return {name: Upstream(status=s, outputs=outputs[name]) for name, s in status.items()}


def cached_row(cached: Cached) -> Row:
    """A result as the columns of sql/results.sql."""
    return (
        cached.key, cached.run, cached.task, cached.attempt, json_text(cached.outputs),
        json_text(cached.reads), json_text(cached.impure), cached.ended, cached.wall,
    )  # fmt: skip


@readable
def cached_of(row: Row) -> Cached:
    """The result of a row of sql/results.sql's columns."""
    return Cached(
        key=row[0],
        run=row[1],
        task=row[2],
        attempt=row[3],
        outputs=_outputs.decode(row[4]),
        reads=_reads.decode(row[5]),
        impure=_impure.decode(row[6]),
        ended=row[7],
        wall=row[8],
    )


@readable
def key_parts_of(row: Row | None) -> KeyParts | None:
    """The key parts in a row (run, path, key, static's JSON, inputs' JSON, seed)."""
    if row is None:
        return None
    return KeyParts(
        run=row[0],
        path=row[1],
        key=row[2],
        static=_static.decode(row[3]),
        inputs=inputs_of(row[4]),
        seed=None if row[5] is None else int(row[5]),
    )


@readable
def verdict_of(body: str, digest: str) -> Verdict:
    """The verdict of a decision's body."""
    return msgspec.convert({**from_free_json(body), "digest": digest}, Verdict)


def fact_row(run: str, name: str, fact: Fact) -> Row:
    """A fact as the values of the statement `add` of sql/facts.sql."""
    number, text = (None, fact) if isinstance(fact, str) else (fact, None)
    return (name, number, text, run)


def number(value: float | None) -> float:
    """A value's column: SQLite keeps "not a number" as NULL."""
    return math.nan if value is None else value
