"""The cache on this machine of blobs that are kept elsewhere."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from mainspring.records.errors import BlobError
from mainspring.storage.blobcache import PINS, BlobCache
from mainspring.storage.blobs import key_of

LARGE = os.urandom(1 << 20) * 3


def digest_of(data: bytes) -> str:
    return "blake3:" + blake3(data).hexdigest()


def given(data: bytes):
    """An object's bytes from an offset on, in pieces."""
    return lambda start: (
        memoryview(data)[at : at + 700_000] for at in range(start, len(data), 700_000)
    )


@pytest.fixture
def cache(tmp_path: Path) -> BlobCache:
    return BlobCache(tmp_path / "cache", 10_000_000)


def test_what_was_fetched_is_here_and_pinned(cache: BlobCache):
    digest = digest_of(LARGE)
    assert cache.pinned(digest) is None
    assert cache.read(digest) is None
    assert cache.fetch(digest, len(LARGE), given(LARGE))
    other = BlobCache(cache.root, 1)
    other.add(b"makes room")
    assert cache.read(digest) == LARGE  # another process's eviction leaves it
    cache.unpin(digest)
    other.add(b"makes room again")
    assert cache.pinned(digest) is None


def test_wrong_bytes_are_not_kept(cache: BlobCache):
    digest = digest_of(LARGE)
    assert not cache.fetch(digest, len(LARGE), given(b"!" + LARGE[1:]))
    assert cache.read(digest) is None
    assert list((cache.root / "partial").iterdir()) == []


def test_what_breaks_off_goes_on_later(cache: BlobCache):
    digest = digest_of(LARGE)

    def breaking(start: int) -> Iterator[memoryview]:
        yield memoryview(LARGE)[start : start + 1_000_000]
        raise BlobError("cut")

    with pytest.raises(BlobError, match="cut"):
        cache.fetch(digest, len(LARGE), breaking)
    starts: list[int] = []
    assert cache.fetch(digest, len(LARGE), lambda at: starts.append(at) or given(LARGE)(at))
    assert starts == [1_000_000]


def test_a_second_reader_waits_for_the_first(cache: BlobCache):
    digest, begun, go = digest_of(LARGE), threading.Event(), threading.Event()

    def slow(start: int) -> Iterator[memoryview]:
        begun.set()
        assert go.wait(30)
        return given(LARGE)(start)

    def never(start: int) -> Iterator[memoryview]:
        raise AssertionError(f"fetched twice, from {start}")

    found: list[bool] = []
    first = threading.Thread(target=lambda: found.append(cache.fetch(digest, len(LARGE), slow)))
    first.start()
    assert begun.wait(30)
    second = BlobCache(cache.root, cache.limit)
    other = threading.Thread(target=lambda: found.append(second.fetch(digest, len(LARGE), never)))
    other.start()
    go.set()
    first.join(30)
    other.join(30)  # the first still holds its pin
    assert found == [True, True]
    assert second.pinned(digest)


def test_the_least_used_goes_first(tmp_path: Path):
    cache = BlobCache(tmp_path, 350_000)
    digests = [cache.add(bytes([n]) * 100_000) for n in range(3)]
    now = time.time()
    for age, digest in ((50, digests[0]), (500, digests[1]), (90, digests[2])):
        path = tmp_path / "blake3" / key_of(digest)
        os.utime(path, (now - age, path.stat().st_mtime))
    cache.add(b"x" * 100_000)
    assert [cache.read(digest) is not None for digest in digests] == [True, False, True]


def test_a_count_that_was_lost_is_made_again(cache: BlobCache):
    cache.add(b"x" * 1000)
    (cache.root / "usage").write_text("nonsense")
    cache.add(b"y" * 1000)
    assert int((cache.root / "usage").read_text()) >= 2000


def test_only_so_many_files_are_pinned(cache: BlobCache):
    for n in range(PINS + 5):
        cache.add(str(n).encode(), pin=True)
    assert len(cache._pins) == PINS


def test_a_damaged_copy_counts_as_not_here(cache: BlobCache):
    digest = cache.add(b"right")
    path = cache.root / "blake3" / key_of(digest)
    path.chmod(0o600)
    path.write_bytes(b"wrong")
    assert cache.pinned(digest) is None
    assert cache.sweep() == 1


def test_a_sweep_takes_only_what_nobody_continues(cache: BlobCache):
    partial = cache.root / "partial"
    partial.mkdir(parents=True)
    for name, age in (("old", 8 * 86400), ("new", 60)):
        (partial / name).write_bytes(b"x")
        os.utime(partial / name, (time.time() - age,) * 2)
    assert cache.sweep() == 1
    assert [path.name for path in partial.iterdir()] == ["new"]
