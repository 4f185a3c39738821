from __future__ import annotations

from pathlib import Path

from mainspring.app.logs import PIECE, Source


def test_a_log_is_read_in_pieces_from_where_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "log"
    source = Source("train", "a1", 1, path)
    assert list(source.read()) == []  # not there yet
    path.write_bytes(b"x" * (2 * PIECE + 5))
    assert [len(piece.data) for piece in source.read()] == [PIECE, PIECE, 5]
    assert list(source.read()) == []
    with path.open("ab") as file:
        file.write(b"more")
    assert [piece.data for piece in source.read()] == [b"more"]
