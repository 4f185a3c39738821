"""Runs, tasks and attempts as they are recorded, and what travels to and from a worker."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.records.artifacts import ArtifactRef, Input
from mainspring.records.environments import Lock
from mainspring.records.sources import Source
from mainspring.records.status import AttemptStatus, RunStatus, TaskStatus, Wish


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a pipeline. Times are seconds since the epoch, UTC.

    `spec` and `snapshot` are digests (of the PipelineSpec and of the source manifest). `forced`
    names the steps that must run whatever the cache says. `sources` says what the datasets and
    models that the pipeline names stood for, by `datasets.digits`, `models.bert@prod`.
    `environment` is the digest of a
    `records.environments.Environment`; None for a run of before these were recorded.
    """

    id: str
    pipeline: str
    status: RunStatus
    wish: Wish
    spec: str
    snapshot: str
    parameters: dict[str, Any]
    seed: int
    created: float
    started: float | None = None
    ended: float | None = None
    parent: str | None = None
    reason: str | None = None
    forced: tuple[str, ...] = ()
    sources: dict[str, Source] = {}
    environment: str | None = None


class TaskError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an attempt or task failed: `kind` is an exception's name or a word such as "timeout"."""

    kind: str
    message: str
    where: str = ""
    traceback: str = ""
    hint: str = ""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One step inside one run.

    `path` is unique in the run (`train`, `train[3]`, `tune#2/train`, `prep/clean`); `node` is the
    same without indices and rounds. `pending` counts what it still waits for: unsettled
    dependencies, or, when open, unsettled children. `total` is the number of elements of a map
    or the present round of a repeat, `expanded` how many of them exist. `parent` is the map or
    repeat that it belongs to. `tries` counts failures and `lost` losses in a row since the task
    was (re)opened, `attempts` all attempts ever.
    """

    id: int
    run: str
    path: str
    node: str
    kind: str
    status: TaskStatus
    pending: int = 0
    parent: int | None = None
    index: int | None = None
    total: int | None = None
    expanded: int = 0
    key: str | None = None
    static: str | None = None
    seed: int | None = None
    tries: int = 0
    lost: int = 0
    attempts: int = 0
    not_before: float | None = None
    reason: str | None = None
    source: str | None = None
    error: TaskError | None = None
    started: float | None = None
    ended: float | None = None


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an attempt used: seconds of wall clock and CPU, peak resident bytes."""

    wall: float = 0.0
    cpu: float = 0.0
    peak_memory: int = 0
    gpu_memory: int = 0


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a task; its id is the fencing token, `engine` the engine that watches it."""

    id: str
    task: int
    run: str
    number: int
    status: AttemptStatus
    engine: str
    epoch: int
    started: float
    ended: float | None = None
    error: TaskError | None = None
    usage: Usage | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything a worker needs for one attempt; it knows no database.

    `snapshot` is the digest of the source manifest to run from. `uses` is `module:name` for a
    step; a command has `command` and `files` instead, and `image` (an id) if it runs in a
    container; `lock` is that of an environment of its own. `inputs` are by port name. `outputs`
    maps port names to type texts (or to a command's output paths). `memory` is bytes, `threads`
    the number of BLAS/OpenMP threads, `seed` a 64-bit integer.
    """

    attempt: str
    run: str
    path: str
    node: str
    snapshot: str
    uses: str = ""
    command: str = ""
    shell: bool = False
    image: str = ""
    network: bool = False
    files: tuple[str, ...] = ()
    inputs: dict[str, Input] = {}
    outputs: dict[str, str] = {}
    seed: int = 0
    threads: int = 1
    cpus: float = 1.0
    gpus: tuple[int, ...] = ()
    memory: int | None = None
    timeout: float | None = None
    env: tuple[str, ...] = ()
    lock: Lock | None = None


class Read(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A project file (or listing, when `path` ends in `/`) that a step read, and its digest."""

    path: str
    digest: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an attempt came to; written once, at `attempts/<id>/outcome.json`.

    `status` is succeeded or failed from a worker; timed_out, cancelled or lost from an engine
    that took the attempt away. `impure` lists undeclared reads of the outside world.
    """

    attempt: str
    status: AttemptStatus
    outputs: dict[str, ArtifactRef] = {}
    error: TaskError | None = None
    usage: Usage = Usage()
    reads: tuple[Read, ...] = ()
    impure: tuple[str, ...] = ()
    started: float = 0.0
    ended: float = 0.0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint's recorded decision and the evidence it judged (name -> value, digests)."""

    run: str
    task: str
    name: str
    kind: str
    passed: bool
    on_fail: str
    condition: str
    values: dict[str, Any]
    evidence: dict[str, str]
    at: float
    digest: str = ""
    previous: str = ""
