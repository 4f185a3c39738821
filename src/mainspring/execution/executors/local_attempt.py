"""One attempt as the local executor follows it, and how it ends when its worker did not say."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import msgspec

from mainspring.execution.attempt_files import AttemptFiles, decode, encode
from mainspring.execution.executors.local_process import Worker
from mainspring.execution.failures import size_text
from mainspring.records.runs import Order, Outcome, TaskError, Usage
from mainspring.records.status import AttemptStatus

GRACE = 2.0
STARTS = 3


@dataclass(frozen=True)
class Ending:
    """What an attempt will have come to if its worker does not write another outcome first."""

    status: AttemptStatus
    error: TaskError


@dataclass(eq=False)
class Attempt:
    """An attempt from its launch or adoption until its outcome is durable.

    `deadline` and `kill_at` are on the monotonic clock. `adopted` says that no zygote will report
    the end of its worker; `order` is None when another engine launched it.
    """

    id: str
    files: AttemptFiles
    order: Order | None = None
    frame: bytes = b""
    worker: Worker | None = None
    timeout: float | None = None
    memory: int | None = None
    deadline: float | None = None
    kill_at: float | None = None
    ending: Ending | None = None
    begun: float = 0.0
    starts: int = 0
    adopted: bool = False
    done: bool = False

    def unbegun(self) -> bool:
        """Whether a worker died before it took the attempt's lock: nothing of it was run."""
        return (
            self.order is not None
            and self.ending is None
            and self.starts < STARTS
            and not os.access(self.files.lock, os.F_OK)
        )

    def timed(self) -> bool:
        """Whether the executor has to look at it from time to time."""
        return self.deadline is not None or self.kill_at is not None or bool(self.memory)

    def follow_limits(self, timeout: float | None, memory: int | None, spent: float = 0) -> None:
        """Watch these limits (seconds, bytes) from now on; `spent` seconds are over."""
        self.timeout, self.memory = timeout, memory
        self.deadline = time.monotonic() + timeout - spent if timeout is not None else None


def timed_out(timeout: float | None) -> Ending:
    """The ending of an attempt that ran too long."""
    limit = f"its limit of {timeout:g} s" if timeout is not None else "its limit"
    error = TaskError(
        kind="timeout",
        message=f"the step ran longer than {limit}",
        hint="raise the step's timeout=..., or make it do less",
    )
    return Ending(AttemptStatus.TIMED_OUT, error)


def out_of_memory(used: int, limit: int) -> Ending:
    """The ending of an attempt that was killed for the memory it held."""
    error = TaskError(
        kind="memory",
        message=f"the step used {size_text(used)} of memory; its limit is {size_text(limit)}",
        hint="raise the step's memory=..., or have it hold less at once",
    )
    return Ending(AttemptStatus.FAILED, error)


def taken_away(status: AttemptStatus, timeout: float | None) -> Ending:
    """The ending of an attempt that its engine terminates."""
    if status is AttemptStatus.TIMED_OUT:
        return timed_out(timeout)
    return Ending(status, TaskError(kind=status.value, message=f"the attempt was {status.value}"))


def lost() -> Ending:
    """The ending of an attempt of which nothing is left but its name."""
    error = TaskError(kind="lost", message="the step's process ended without an outcome")
    return Ending(AttemptStatus.LOST, error)


def clear_container(files: AttemptFiles) -> None:
    """Remove the container that a killed worker has left running: it is no child of the worker."""
    if os.access(files.container, os.F_OK):
        from mainspring.execution import containers

        containers.clear(files)


def told(attempt: Attempt, data: bytes) -> Outcome | None:
    """The outcome that a worker has sent, or None when that is none: its file counts then."""
    try:
        return decode(data, attempt.id)
    except msgspec.DecodeError:
        return None


def conclude(attempt: Attempt, ending: Ending, usage: Usage | None = None) -> Outcome:
    """Make `ending` the attempt's outcome if it has none yet; return the one that counts."""
    now = time.time()
    own = Outcome(
        attempt=attempt.id,
        status=ending.status,
        error=ending.error,
        usage=usage or Usage(),
        started=attempt.begun or now,
        ended=now,
    )
    try:
        attempt.files.create()
        if attempt.files.publish(encode(own)):
            return own
        return attempt.files.read() or own
    except msgspec.DecodeError as error:
        said = TaskError(kind="outcome", message=f"outcome.json is damaged: {error}")
        return msgspec.structs.replace(own, status=AttemptStatus.LOST, error=said)
    except OSError as error:
        said = f"{ending.error.message}; and its outcome could not be stored: {error.strerror}"
        return msgspec.structs.replace(
            own, error=msgspec.structs.replace(ending.error, message=said)
        )
