"""What a capsule says of a run: everything that its records hold, without the numbers and names
that a store gives (docs/reference/capsule.md)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.runs import Run, TaskError, Usage
from mainspring.records.source import Static
from mainspring.records.status import AttemptStatus, TaskStatus

VERSION = 1
FORMAT = f"mainspring.capsule/{VERSION}"

Text = Annotated[str, msgspec.Meta(max_length=100_000)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
Time = Annotated[float, msgspec.Meta(ge=0, lt=1e12)]
Number = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Blake3 = Annotated[str, msgspec.Meta(pattern=r"^blake3:[0-9a-f]{64}\Z")]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class PackedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the capsule, and both digests of what it holds."""

    path: Name
    size: Count
    sha256: Sha256
    blake3: Blake3


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A value of the run that the capsule names and does not hold."""

    digest: Blake3
    size: Count
    why: Name


class PastAttempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A try of a task, that has ended."""

    number: Count
    status: AttemptStatus
    started: Time
    ended: Time | None = None
    error: TaskError | None = None
    usage: Usage | None = None


class PastTask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A settled task. `parent` and `after` are places in the list of tasks."""

    path: Name
    node: Name
    kind: Name
    status: TaskStatus
    parent: Count | None = None
    after: tuple[Count, ...] = ()
    index: Count | None = None
    total: Count | None = None
    expanded: Count = 0
    key: Name | None = None
    static: Blake3 | None = None
    seed: Seed | None = None
    tries: Count = 0
    lost: Count = 0
    reason: Text | None = None
    source: Name | None = None
    error: TaskError | None = None
    started: Time | None = None
    ended: Time | None = None
    inputs: dict[Name, tuple[Text, Text]] = {}
    outputs: dict[Name, ArtifactRef] = {}
    attempts: tuple[PastAttempt, ...] = ()


class PastResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What makes a task's outputs usable again: the files that it read, what made it impure."""

    task: Count
    reads: dict[Name, Name] = {}
    impure: tuple[Text, ...] = ()
    ended: Time
    wall: Number


class PastVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint's decision; its digest and the one before it are those of its own chain."""

    task: Name
    name: Name
    kind: Name
    passed: bool
    on_fail: Name
    condition: Text
    values: dict[str, Any]
    evidence: dict[str, Text]
    at: Time
    digest: Name
    previous: Text


class PastDivergence(msgspec.Struct, frozen=True, kw_only=True):
    """An output that differed from an earlier one of the same key."""

    task: Name
    output: Name
    source: Name


class PastMedium(msgspec.Struct, frozen=True, kw_only=True):
    """A figure or table that an attempt (by its number) logged."""

    task: Count
    attempt: Count
    name: Name
    kind: Name
    digest: Blake3
    size: Count
    mime: Name
    step: Number | None = None


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has ended, with all that belongs to it but its metrics (they are a file)."""

    run: Run
    tasks: tuple[PastTask, ...]
    statics: dict[Blake3, Static]
    results: tuple[PastResult, ...] = ()
    verdicts: tuple[PastVerdict, ...] = ()
    divergences: tuple[PastDivergence, ...] = ()
    media: tuple[PastMedium, ...] = ()
    tags: dict[Name, Text] = {}
    note: Text = ""


class Capsule(msgspec.Struct, frozen=True, kw_only=True):
    """`capsule.json`: the run, and every file of the capsule but this one and what vouches for it.

    `program` is what wrote it.
    """

    past: Past
    files: tuple[PackedFile, ...]
    left_out: tuple[LeftOut, ...] = ()
    program: Name
    format: str = FORMAT


class PastPoints(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `metrics.jsonl`: some points (step, value, time) of a metric of a task, in order.

    null is a value that is not a number; infinities are `"inf"` and `"-inf"`.
    """

    task: Name
    name: Name
    points: tuple[tuple[float | None, float | str | None, float], ...]
