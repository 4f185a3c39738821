"""The ports: what the inner layers ask of stores and executors (no I/O here)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol

import msgspec

from mainspring.records.runs import Order, Outcome
from mainspring.records.status import AttemptStatus

Buffer = bytes | bytearray | memoryview


class BlobWriter(Protocol):
    """A blob being written; nothing is visible before `commit`. A context manager: leaving it
    without commit discards what was written."""

    def write(self, data: Buffer) -> int: ...
    def commit(self) -> tuple[str, int]:
        """Make it durable and visible; return its digest and size in bytes."""
        ...

    def __enter__(self) -> BlobWriter: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class BlobPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where blobs are, for another process that opens the same ones.

    `root` is a local directory: of the blobs themselves, or, where there is a `url`
    (`s3://bucket/prefix`), of the cache in front of it, which holds up to `cache_size` bytes.
    It names no credentials: those come from the environment.
    """

    root: str
    url: str = ""
    cache_size: int = 0


class BlobEntry(NamedTuple):
    """A blob that is there: its size in bytes, and when it got its place (seconds since 1970)."""

    digest: str
    size: int
    since: float


class Blobs(Protocol):
    """Content-addressed immutable bytes, by digest (`blake3:<hex>`)."""

    @property
    def place(self) -> BlobPlace: ...
    def has(self, digest: str) -> bool: ...
    def intact(self, digest: str, size: int | None = None) -> bool:
        """Whether the blob can be had, and is as long as `size` says. Its bytes are checked too
        where they are on this machine: what would have to be fetched for that is checked by
        whoever reads it."""
        ...

    def writer(self) -> BlobWriter: ...
    def put(self, data: Buffer) -> tuple[str, int]: ...
    def put_file(self, path: Path) -> tuple[str, int]:
        """Store a file's content (streamed); return digest and size."""
        ...

    def path(self, digest: str) -> Path:
        """A local, read-only file with the content, checked against its digest. It stays there
        until this process ends or has asked for hundreds of others.

        Raises BlobError when it is missing, CorruptBlobError when its bytes are wrong (the bad
        file is moved aside, so that the blob counts as missing from then on).
        """
        ...

    def read(self, digest: str) -> bytes:
        """The content, checked. Same errors as `path`."""
        ...

    def delete(self, digest: str) -> None: ...
    def listing(self) -> Iterator[BlobEntry]:
        """Every blob that is there, in no order."""
        ...

    def sweep(self) -> int:
        """Remove what dead processes left half-written; return how many things that were."""
        ...


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """What an executor can run at once; `memory` in bytes, `custom` by resource name."""

    cpus: float
    gpus: int = 0
    memory: int = 0
    custom: dict[str, float] = {}


class Executor(Protocol):
    """Runs attempts. It knows nothing of the database; calls come from one thread."""

    def capacity(self) -> Capacity: ...

    def prepare(self, snapshot: str, modules: Sequence[str]) -> None:
        """Begin to warm up for a source snapshot; returns at once."""
        ...

    def launch(self, orders: Sequence[Order]) -> None:
        """Start attempts; idempotent by attempt id. Never raises for a fault of one attempt:
        that comes back as its outcome."""
        ...

    def wait(self, timeout: float) -> list[Outcome]:
        """Outcomes that have become durable, waiting at most `timeout` seconds for the first.

        Each attempt launched or adopted comes back exactly once. An attempt that died without an
        outcome comes back as lost, after that was made durable in its place.
        """
        ...

    def terminate(self, attempts: Sequence[str], status: AttemptStatus) -> None:
        """Take attempts away (cancelled or timed_out): ask, then kill the process group. The
        outcome, the worker's own if that was durable first, comes back from `wait`."""
        ...

    def adopt(self, attempts: Sequence[str]) -> None:
        """Watch attempts that another engine launched; finished and dead ones too come back
        from `wait`."""
        ...

    def wake(self) -> None:
        """Make a `wait` in progress (or the next one) return; safe from a signal handler."""
        ...

    def close(self) -> None:
        """Stop helper processes; attempts still running are left alone (they can be adopted)."""
        ...
