"""Blobs in two layers: the promises of every store, and that what is given is left as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contracts.blob_suite import BlobSuite

from mainspring.storage.blobs import LocalBlobs, key_of
from mainspring.storage.layered import LayeredBlobs


class TestLayered(BlobSuite):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> LayeredBlobs:
        return LayeredBlobs(LocalBlobs(tmp_path / "given"), LocalBlobs(tmp_path / "made"))

    @pytest.fixture
    def again(self, tmp_path: Path) -> Callable[[], LayeredBlobs]:
        return lambda: LayeredBlobs(LocalBlobs(tmp_path / "given"), LocalBlobs(tmp_path / "made"))

    @pytest.fixture
    def damage(self, tmp_path: Path) -> Callable[[str], None]:
        def change(digest: str) -> None:
            path = tmp_path / "made" / "blake3" / key_of(digest)
            path.chmod(0o600)
            with path.open("r+b") as file:
                first = file.read(1)
                file.seek(0)
                file.write(bytes([first[0] ^ 1]))

        return change


def test_what_is_given_is_read_and_stays(tmp_path: Path) -> None:
    given = LocalBlobs(tmp_path / "given")
    digest, _ = given.put(b"given")
    blobs = LayeredBlobs(given, LocalBlobs(tmp_path / "made"))
    made, _ = blobs.put(b"made")
    assert blobs.read(digest) == b"given"
    assert not given.has(made)
    assert {entry.digest for entry in blobs.listing()} == {digest, made}
    blobs.delete(digest)
    assert given.has(digest)
    assert blobs.place == given.place
