"""Blobs in a bucket, behind a cache on this machine."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType

from blake3 import blake3

from mainspring.records.errors import BlobError, CorruptBlobError
from mainspring.records.ports import BlobEntry, BlobPlace, Buffer
from mainspring.storage import bulk
from mainspring.storage.blobcache import BlobCache
from mainspring.storage.blobs import SMALL, LocalWriter, key_of, opened
from mainspring.storage.bucket_access import parse_url
from mainspring.storage.disk_errors import missing
from mainspring.storage.objects import LARGEST_PUT, PARALLEL, PART, AbsentError, Objects
from mainspring.storage.owner import claim
from mainspring.storage.sending import leaving, pieces_of, slices

_FIRST = 10.0  # seconds in which a bucket has to answer a command for the first time
FRESH = 30.0  # seconds for which it is believed that a blob that was seen is still there
LISTED = 8  # blobs asked for one by one before all of them are listed
TRIES = 10  # to read a file before others, with too small a cache, evict it
PAGES = 100  # of a thousand names, at most, that are listed for that


class RemoteBlobs:
    """The blobs of a bucket; implements `records.ports.Blobs`. Safe for concurrent processes.

    An object's key is its content's digest, `blake3/ab/<62 hex>` as on a local disk, so content
    is hashed (and spooled to the cache) before it is sent. `corrupt/` is what was found damaged.
    """

    def __init__(self, url: str, cache: Path, limit: int, variables: Mapping[str, str]) -> None:
        self._objects = Objects(parse_url(url), variables)
        self.place = BlobPlace(
            root=os.path.realpath(cache), url=str(self._objects.url), cache_size=limit
        )
        self._cache = BlobCache(cache, limit)
        self.spool = self._cache.files
        self._seen: dict[str, tuple[int, float]] = {}
        self._asked = 0
        self._asked_since = 0.0

    def __repr__(self) -> str:
        return f"RemoteBlobs({self.place.url!r})"

    def has(self, digest: str) -> bool:
        """Whether there is such an object, as of at most `FRESH` seconds ago."""
        return self._size(digest) is not None

    def intact(self, digest: str, size: int | None = None) -> bool:
        """Whether there is such an object, and of this size; its bytes are not fetched."""
        found = self._size(digest)
        return found is not None and size in (None, found)

    def writer(self) -> RemoteWriter:
        """A writer for content of any size; see `records.ports.BlobWriter`."""
        return RemoteWriter(self)

    def put(self, data: Buffer) -> tuple[str, int]:
        """Store the bytes; return their digest and size."""
        view = memoryview(data).cast("B")
        size = view.nbytes
        total = blake3() if size <= SMALL else bulk.hasher()
        digest = "blake3:" + total.update(view).hexdigest()
        if self._known(digest) != size:
            if size <= LARGEST_PUT:
                self._send_small(digest, view)
                if size <= self._cache.limit:
                    self._cache.add(view)
            else:
                self._send_large(digest, size, lambda: slices(view))
        return digest, size

    def put_file(self, path: Path) -> tuple[str, int]:
        """Store a file's content; the cache shares its disk blocks where that can be."""
        with opened(path) as source:
            if os.fstat(source).st_size <= LARGEST_PUT:
                return self.put(bulk.read_at(source, 0, LARGEST_PUT + 1))
            if cloned := self._cache.files.clone(source):
                return self.send(*cloned)
            digest, size = bulk.digest_file(source)
            if self._known(digest) != size:
                self._send_large(digest, size, lambda: pieces_of(source))
            return digest, size

    def path(self, digest: str) -> Path:
        """The blob's file in the cache, fetched and checked. It stays while this process lives."""
        key_of(digest)
        for _ in range(TRIES):
            path = self._cache.pinned(digest)
            if path is not None:
                return path
            self._fetch(digest)
        raise BlobError(f"the cache in {self.place.root} does not keep blob {digest}")

    def read(self, digest: str) -> bytes:
        """The blob's bytes, checked."""
        key_of(digest)
        data = self._cache.read(digest)
        return self.path(digest).read_bytes() if data is None else data

    def delete(self, digest: str) -> None:
        """Remove a blob from the bucket and the cache; one that is not there is no error."""
        key = _key(digest)
        self._seen.pop(digest, None)
        self._objects.delete(key)
        self._cache.drop(digest)

    def listing(self) -> Iterator[BlobEntry]:
        """Every blob of the bucket, with the time of its upload."""
        for page in self._objects.list("blake3"):
            for key, size, since in page:
                digest = _digest(key)
                if digest:
                    yield BlobEntry(digest, size, since)

    def claim(self, store: str, *, take: bool = False) -> None:
        """Make sure that the prefix is this store's of records; see `owner.claim`.

        It is the first that a command asks of a bucket, and somebody waits for it: one that can't
        be reached is said to be so after a few seconds.
        """
        patience, self._objects.patience = (
            self._objects.patience,
            min(_FIRST, self._objects.patience),
        )
        try:
            claim(self._objects, store, take=take)
        finally:
            self._objects.patience = patience

    def release(self, digest: str) -> None:
        """Let the cache forget a file that `path` gave: nobody reads it any more."""
        self._cache.unpin(digest)

    def sweep(self) -> int:
        """Remove what was found damaged, and what dead processes left in the cache."""
        damaged = [key for page in self._objects.list("corrupt") for key, _, _ in page]
        for key in damaged:
            self._objects.delete(key)
        return len(damaged) + self._cache.sweep()

    # To the bucket

    def send(self, digest: str, size: int) -> tuple[str, int]:
        """Upload what the cache has been given, unless it is there already."""
        if self._known(digest) != size:
            # Nobody may take the file away meanwhile.
            path = self._cache.pinned(digest)
            if path is None:
                raise BlobError(f"blob {digest} vanished from the cache in {self.place.root}")
            try:
                self._upload(digest, size, path)
            finally:
                self._cache.unpin(digest)
            self._cache.note(size)
        return digest, size

    def _upload(self, digest: str, size: int, path: Path) -> None:
        if size <= LARGEST_PUT:
            self._send_small(digest, memoryview(path.read_bytes()))
            return
        if self._found(digest) != size:
            self._objects.put_parts(_key(digest), lambda: path, size)
            self._saw(digest, size)

    def _send_large(self, digest: str, size: int, pieces: Callable[[], Iterator[Buffer]]) -> None:
        """Upload what is not in the cache yet, and keep it there on the way, if it has room."""
        if self._found(digest) == size:
            return
        cache = self._cache.files if size <= self._cache.limit else None
        self._objects.put_parts(_key(digest), lambda: leaving(pieces(), digest, size, cache), size)
        self._saw(digest, size)
        if cache is not None:
            self._cache.note(size)

    def _send_small(self, digest: str, view: memoryview) -> None:
        key = _key(digest)
        # One of another length was damaged or cut off: this one takes its place.
        if not self._objects.put(key, view) and self._found(digest) != view.nbytes:
            self._objects.replace(key, view)
        self._saw(digest, view.nbytes)

    # From the bucket

    def _fetch(self, digest: str) -> None:
        key = _key(digest)
        try:
            # Whether it is small is not known: the first part says.
            size = self._objects.size(key) if self._known(digest) is None else self._seen[digest][0]
            if size <= PART:
                data = self._objects.read(key)
                whole = blake3(data).hexdigest() == digest[7:] and bool(
                    self._cache.add(data, pin=True)
                )
            else:
                whole = self._cache.fetch(digest, size, lambda start: self._parts(key, start, size))
        except AbsentError:
            self._seen.pop(digest, None)
            raise missing(digest) from None
        if not whole:
            raise self._corrupt(digest)

    def _parts(self, key: str, start: int, size: int) -> Iterator[memoryview]:
        """The bytes from `start` on, in order, several requests at once."""
        with ThreadPoolExecutor(PARALLEL, "mainspring-fetch") as pool:
            coming: deque[Future[Buffer]] = deque()
            try:
                for at in range(start, size, PART):
                    end = min(at + PART, size)
                    coming.append(pool.submit(self._objects.read_range, key, at, end))
                    if len(coming) > PARALLEL:
                        yield memoryview(coming.popleft().result())
                while coming:
                    yield memoryview(coming.popleft().result())
            finally:
                for future in coming:
                    future.cancel()

    def _corrupt(self, digest: str) -> CorruptBlobError:
        """Take the damaged object out of the way, so that the blob counts as missing."""
        self._seen.pop(digest, None)
        note = "the damaged object was moved to corrupt/"
        try:
            self._objects.move(_key(digest), f"corrupt/{digest[7:]}")
        except (BlobError, AbsentError) as error:
            note = f"the damaged object could not be moved aside ({error})"
        return CorruptBlobError(
            f"blob {digest} in {self.place.url} is corrupt: its bytes have another digest; {note}",
            hint="run the pipeline again: what made it will be computed anew",
        )

    # What is there

    def _saw(self, digest: str, size: int) -> None:
        self._seen[digest] = (size, monotonic())

    def _known(self, digest: str) -> int | None:
        """The size of a blob that was seen a moment ago."""
        size, at = self._seen.get(digest, (0, 0.0))
        return size if at and monotonic() - at < FRESH else None

    def _size(self, digest: str) -> int | None:
        key_of(digest)
        known = self._known(digest)
        if known is None and self._is_many():
            known = self._known(digest)
        return self._found(digest) if known is None else known

    def _found(self, digest: str) -> int | None:
        try:
            size = self._objects.size(_key(digest))
        except AbsentError:
            self._seen.pop(digest, None)
            return None
        self._saw(digest, size)
        return size

    def _is_many(self) -> bool:
        """Count what is asked; list everything when that is cheaper. True if it was listed now."""
        now = monotonic()
        if now - self._asked_since > FRESH:
            self._asked, self._asked_since = 0, now
        self._asked += 1
        if self._asked != LISTED:
            return False
        with suppress(BlobError, AbsentError):  # no right to list, for one
            for number, page in enumerate(self._objects.list("blake3"), 1):
                for key, size, _ in page:
                    if digest := _digest(key):
                        self._saw(digest, size)
                if number == PAGES:
                    break
        return True


class RemoteWriter:
    """One blob being written: spooled and hashed in the cache, sent when it is complete."""

    def __init__(self, store: RemoteBlobs) -> None:
        self._store = store
        self._writer = LocalWriter(store.spool)

    def write(self, data: Buffer) -> int:
        """Append the bytes."""
        return self._writer.write(data)

    def commit(self) -> tuple[str, int]:
        """Upload; return digest and size once the bucket has it."""
        return self._store.send(*self._writer.commit())

    def __enter__(self) -> RemoteWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.__exit__(kind, error, trace)


def _key(digest: str) -> str:
    return f"blake3/{key_of(digest)}"


def _digest(key: str) -> str:
    """The digest that a key stands for, or nothing."""
    digest = "blake3:" + "".join(key.split("/")[1:])
    with suppress(BlobError):
        return digest if _key(digest) == key else ""
    return ""
