from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contracts.store_suite import StoreSuite

from mainspring.records.canonical import digest_bytes
from mainspring.records.errors import BlobError, CorruptBlobError
from mainspring.records.stores import Store
from mainspring.testing.memory import MemoryBlobs, MemoryLeases, MemoryStore


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    def new_store(self) -> Callable[[], Store]:
        return MemoryStore


def test_leases_end_by_release_or_death() -> None:
    leases = MemoryLeases()
    leases.hold("a")
    leases.hold("b")
    assert (leases.alive("a"), leases.alive("c")) == (True, False)
    leases.release("a")
    leases.kill("b")
    assert (leases.alive("a"), leases.alive("b")) == (False, False)


def test_blobs(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    digest, size = blobs.put(b"hello")
    assert (digest, size) == (digest_bytes(b"hello"), 5)
    assert blobs.read(digest) == blobs.path(digest).read_bytes() == b"hello"
    (tmp_path / "f").write_bytes(b"file")
    assert blobs.has(blobs.put_file(tmp_path / "f")[0])
    with blobs.writer() as writer:
        writer.write(b"hel")
        writer.write(memoryview(b"lo"))
        assert writer.commit() == (digest, 5)
    with blobs.writer() as writer:
        writer.write(b"left")
    assert not blobs.has(digest_bytes(b"left"))
    blobs.delete(digest)
    with pytest.raises(BlobError):
        blobs.path(digest)


def test_a_damaged_blob_is_refused_and_then_missing() -> None:
    blobs = MemoryBlobs()
    digest, _ = blobs.put(b"hello")
    blobs.damage(digest)
    with pytest.raises(CorruptBlobError):
        blobs.read(digest)
    assert not blobs.has(digest)
