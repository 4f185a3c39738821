"""What every store of blobs promises, whatever keeps the bytes."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from mainspring.records.errors import BlobError, CorruptBlobError
from mainspring.records.ports import Blobs

CONTENTS = {"empty": b"", "small": b"small", "parts": os.urandom(1 << 20) * 20 + b"end"}
MISSING = "blake3:" + "0" * 64


class BlobSuite:
    """Subclasses give the fixtures `blobs`, `again` (opens the same blobs with nothing cached)
    and `damage` (changes the first byte of what is kept of a digest)."""

    @pytest.mark.parametrize("name", CONTENTS)
    def test_what_was_put_comes_back(self, blobs: Blobs, again: Callable[[], Blobs], name: str):
        data = CONTENTS[name]
        digest, size = blobs.put(data)
        assert size == len(data)
        for store in (blobs, again()):
            assert store.has(digest) and store.intact(digest, size)
            assert store.read(digest) == data
            assert store.path(digest).read_bytes() == data
            assert [(e.digest, e.size) for e in store.listing()] == [(digest, size)]

    def test_the_same_content_is_kept_once(self, blobs: Blobs):
        for data in CONTENTS.values():
            assert blobs.put(data) == blobs.put(data)
        assert len(list(blobs.listing())) == len(CONTENTS)

    @pytest.mark.parametrize("name", CONTENTS)
    def test_a_writer_names_what_put_names(self, blobs: Blobs, name: str):
        data = CONTENTS[name]
        with blobs.writer() as writer:
            for start in range(0, len(data), 3_000_001):
                writer.write(data[start : start + 3_000_001])
            named = writer.commit()
        assert named == blobs.put(data)
        assert blobs.read(named[0]) == data

    def test_a_discarded_writer_leaves_nothing(self, blobs: Blobs):
        with blobs.writer() as writer:
            writer.write(CONTENTS["parts"])
        assert list(blobs.listing()) == []

    def test_what_is_missing_is_named(self, blobs: Blobs):
        assert not blobs.has(MISSING) and not blobs.intact(MISSING)
        for read in (blobs.read, blobs.path):
            with pytest.raises(BlobError, match=MISSING):
                read(MISSING)
        blobs.delete(MISSING)

    def test_what_was_deleted_is_gone(self, blobs: Blobs, again: Callable[[], Blobs]):
        digest, _ = blobs.put(CONTENTS["parts"])
        blobs.delete(digest)
        for store in (blobs, again()):
            assert not store.has(digest)
            with pytest.raises(BlobError):
                store.read(digest)

    @pytest.mark.parametrize("name", ["small", "parts"])
    def test_what_is_damaged_is_moved_aside(
        self, blobs: Blobs, again: Callable[[], Blobs], damage: Callable[[str], None], name: str
    ):
        digest, size = blobs.put(CONTENTS[name])
        damage(digest)
        store = again()
        with pytest.raises(CorruptBlobError, match=digest):
            store.read(digest)
        assert not store.has(digest)
        assert again().put(CONTENTS[name]) == (digest, size)
        assert again().read(digest) == CONTENTS[name]
