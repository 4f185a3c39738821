"""Fakes of the ports for tests: a store, leases and blobs that live in this process only."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from mainspring.records.canonical import digest_bytes
from mainspring.records.errors import BlobError, ConflictError, CorruptBlobError, StoreError
from mainspring.records.ports import BlobEntry, BlobPlace, Buffer
from mainspring.testing.reader import MemoryReader
from mainspring.testing.state import State
from mainspring.testing.transaction import MemoryTransaction


class MemoryStore:
    """A metadata store (records.stores.Store) that passes the same contract as the durable ones."""

    def __init__(self) -> None:
        self._state = State()
        self._reader = MemoryReader(lambda: self._state)
        self._lock = threading.Lock()
        self._owner = 0
        self._closed = False

    @property
    def read(self) -> MemoryReader:
        if self._closed:
            raise StoreError("the store is closed")
        return self._reader

    @contextmanager
    def write(self, runs: Sequence[str] = ()) -> Generator[MemoryTransaction]:  # noqa: ARG002
        if self._owner == threading.get_ident():
            raise StoreError("a transaction is already open in this thread")
        with self._lock:
            if self._closed:
                raise StoreError("the store is closed")
            self._owner = threading.get_ident()
            draft = self._state.copy()
            transaction = MemoryTransaction(draft)
            try:
                yield transaction
                if transaction.failed:
                    raise StoreError("the transaction was undone: a statement had failed")
                draft.commits += 1
                self._state = draft
            finally:
                self._owner = 0

    def close(self) -> None:
        self._closed = True


class MemoryLeases:
    """Leases (records.stores.Leases) of engines that a test can kill."""

    def __init__(self) -> None:
        self._held: set[str] = set()

    def hold(self, engine: str) -> None:
        self._held.add(engine)

    def release(self, engine: str) -> None:
        self._held.discard(engine)

    def alive(self, engine: str) -> bool:
        return engine in self._held

    def living(self) -> list[str]:
        return sorted(self._held)

    def close(self) -> None:
        pass

    def kill(self, engine: str) -> None:
        """End the engine as the death of its process would."""
        self._held.discard(engine)


class MemoryBlobs:
    """Blobs (records.ports.Blobs) in a dict; `path` writes them out where a file is asked for."""

    def __init__(self) -> None:
        self._content: dict[str, bytes] = {}
        self._folder: Path | None = None

    def has(self, digest: str) -> bool:
        return digest in self._content

    def intact(self, digest: str, size: int | None = None) -> bool:
        """Whether `path` would give the blob."""
        try:
            return size in (None, self.path(digest).stat().st_size)
        except BlobError:
            return False

    def listing(self) -> Iterator[BlobEntry]:
        """Every blob, as old as can be."""
        return (BlobEntry(digest, len(data), 0.0) for digest, data in list(self._content.items()))

    def sweep(self) -> int:
        """Nothing is ever left half-written."""
        return 0

    def writer(self) -> MemoryBlobWriter:
        return MemoryBlobWriter(self)

    def put(self, data: Buffer) -> tuple[str, int]:
        content = bytes(data)
        digest = digest_bytes(content)
        self._content.setdefault(digest, content)
        return digest, len(content)

    def put_file(self, path: Path) -> tuple[str, int]:
        return self.put(path.read_bytes())

    @property
    def place(self) -> BlobPlace:
        raise BlobError("these blobs are in the memory of one process")

    def path(self, digest: str) -> Path:
        content = self.read(digest)
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="mainspring-blobs-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        file = self._folder / digest.replace(":", "-")
        if not file.exists():
            file.write_bytes(content)
            file.chmod(0o444)
        return file

    def read(self, digest: str) -> bytes:
        if digest not in self._content:
            raise BlobError(f"the blob {digest} is missing")
        content = self._content[digest]
        if digest_bytes(content) != digest:
            del self._content[digest]
            raise CorruptBlobError(f"the blob {digest} is damaged")
        return content

    def delete(self, digest: str) -> None:
        self._content.pop(digest, None)
        if self._folder is not None:
            (self._folder / digest.replace(":", "-")).unlink(missing_ok=True)

    def digests(self) -> set[str]:
        """Every blob that there is."""
        return set(self._content)

    def damage(self, digest: str) -> None:
        """Change the content under its digest, as a failing disk would."""
        self._content[digest] = self._content[digest] + b"?"


class MemoryBlobWriter:
    """A blob being written (records.ports.BlobWriter)."""

    def __init__(self, blobs: MemoryBlobs) -> None:
        self._blobs = blobs
        self._data = bytearray()
        self._open = True

    def write(self, data: Buffer) -> int:
        if not self._open:
            raise ConflictError("the blob is already written")
        self._data += data
        return len(data)

    def commit(self) -> tuple[str, int]:
        self._open = False
        return self._blobs.put(self._data)

    def __enter__(self) -> MemoryBlobWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = False
