"""States: their words are on disk and in scripts; which of them are final."""

from __future__ import annotations

from mainspring.records.status import (
    RUN_ENDED,
    TASK_HAS_OUTPUTS,
    TASK_SETTLED,
    AttemptStatus,
    RunStatus,
    TaskStatus,
    Wish,
)


def test_the_words_stay() -> None:
    assert [*RunStatus] == [
        "queued", "running", "waiting", "paused", "succeeded", "failed", "cancelled",
    ]  # fmt: skip
    assert [*TaskStatus] == [
        "pending", "ready", "running", "open", "waiting", "succeeded", "reused", "skipped",
        "failed", "blocked", "cancelled",
    ]  # fmt: skip
    assert [*AttemptStatus] == [
        "running", "succeeded", "failed", "timed_out", "cancelled", "lost",
    ]  # fmt: skip
    assert [*Wish] == ["run", "pause", "cancel"]


def test_what_is_final() -> None:
    assert {"succeeded", "failed", "cancelled"} == RUN_ENDED
    assert {*TaskStatus} - TASK_SETTLED == {"pending", "ready", "running", "open", "waiting"}
    assert {"succeeded", "reused"} == TASK_HAS_OUTPUTS
    assert TASK_HAS_OUTPUTS < TASK_SETTLED
