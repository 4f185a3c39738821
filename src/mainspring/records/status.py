"""The states of runs, tasks and attempts (docs/protocol.md says who may move what)."""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """Where a run stands; `waiting`, `paused` and the last three hold no process."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskStatus(StrEnum):
    """Where a task stands. `open` is a map or repeat whose children are at work."""

    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    OPEN = "open"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    REUSED = "reused"
    SKIPPED = "skipped"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"


class AttemptStatus(StrEnum):
    """How one try of a task stands; `lost` died without an outcome, `fenced` was taken away."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"


class Wish(StrEnum):
    """What a person last asked of a run."""

    RUN = "run"
    PAUSE = "pause"
    CANCEL = "cancel"


RUN_ENDED = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED})
TASK_SETTLED = frozenset(
    {
        TaskStatus.SUCCEEDED,
        TaskStatus.REUSED,
        TaskStatus.SKIPPED,
        TaskStatus.FAILED,
        TaskStatus.BLOCKED,
        TaskStatus.CANCELLED,
    }
)
TASK_HAS_OUTPUTS = frozenset({TaskStatus.SUCCEEDED, TaskStatus.REUSED})
