from __future__ import annotations

import os
from pathlib import Path

import pytest
from blake3 import blake3

from mainspring.records.errors import BlobError
from mainspring.storage import sending
from mainspring.storage.blobs import LocalBlobs

DATA = os.urandom(1000) * 50
DIGEST = "blake3:" + blake3(DATA).hexdigest()


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "PIECE", 3_000)


def test_pieces_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        pieces = list(sending.pieces_of(file.fileno()))
        assert b"".join(pieces) == DATA
        assert b"".join(sending.pieces_of(file.fileno())) == DATA, "from the start again"
    assert max(map(len, pieces)) == 3_000


def test_slices_share_memory() -> None:
    pieces = list(sending.slices(memoryview(DATA)))
    assert b"".join(pieces) == DATA
    assert all(piece.obj is DATA for piece in pieces)


@pytest.mark.parametrize("kept", [True, False])
def test_what_leaves_is_checked_and_kept(tmp_path: Path, kept: bool) -> None:
    cache = LocalBlobs(tmp_path) if kept else None
    pieces = sending.slices(memoryview(DATA))
    sent = b"".join(sending.leaving(pieces, DIGEST, len(DATA), cache))
    assert sent == DATA
    assert cache is None or cache.read(DIGEST) == DATA


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("changed", [DATA[:-1] + b"?", DATA + b"more", DATA[:-4_000]])
def test_what_has_changed_is_not_sent_to_its_end(
    tmp_path: Path, kept: bool, changed: bytes
) -> None:
    if changed == DATA:  # one time in 256 the last byte is a question mark
        changed = DATA[:-1] + b"!"
    cache = LocalBlobs(tmp_path) if kept else None
    pieces = sending.slices(memoryview(changed))
    with pytest.raises(BlobError, match="changed while it was being stored"):
        list(sending.leaving(pieces, DIGEST, len(DATA), cache))
    assert cache is None or not cache.has(DIGEST)


def test_an_upload_that_ends_early_keeps_nothing(tmp_path: Path) -> None:
    cache = LocalBlobs(tmp_path)
    sent = sending.leaving(sending.slices(memoryview(DATA)), DIGEST, len(DATA), cache)
    next(sent)
    sent.close()  # type: ignore[attr-defined]
    assert not cache.has(DIGEST)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
