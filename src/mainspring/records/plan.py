"""The plan: which tasks will run, which are reused, and why; frozen data, run or printed."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.sources import Source

FORMAT = "mainspring.plan/1"


ELEMENTS_LISTED = 1000


class Choice(StrEnum):
    """What planning decided of a task: `unknown` until something upstream is settled, `decide`
    a checkpoint that will be judged, `fail` one that can't pass or be computed."""

    REUSE = "reuse"
    RUN = "run"
    SKIP = "skip"
    UNKNOWN = "unknown"
    DECIDE = "decide"
    FAIL = "fail"


class PlannedTask(msgspec.Struct, frozen=True, kw_only=True):
    """One task as planned. `expected` is seconds of wall clock from history, if any.

    `inputs` maps input names to (digest, short text). `elements` says of a map how many of its
    elements there are by choice; of each choice the plan lists at most ELEMENTS_LISTED."""

    path: str
    node: str
    kind: str
    choice: Choice
    reason: str
    key: str | None = None
    static: str | None = None
    seed: int | None = None
    inputs: dict[str, tuple[str, str]] = {}
    outputs: dict[str, ArtifactRef] = {}
    deps: tuple[str, ...] = ()
    source: str | None = None
    expected: float | None = None
    elements: dict[str, int] = {}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The frozen result of planning, in an order that respects dependencies.

    `sources` are the versions of datasets and models that a run of it uses, as in Run."""

    pipeline: str
    spec: str
    snapshot: str
    parameters: dict[str, Any]
    seed: int
    tasks: tuple[PlannedTask, ...]
    expected: float | None = None
    sources: dict[str, Source] = {}
    format: str = FORMAT


class Cached(msgspec.Struct, frozen=True, kw_only=True):
    """A result that some run has already computed for a key.

    `reads` are the project files that the step opened and their digests (path -> digest).
    """

    key: str
    run: str
    task: str
    attempt: str
    outputs: dict[str, ArtifactRef]
    reads: dict[str, str]
    impure: tuple[str, ...]
    ended: float
    wall: float
