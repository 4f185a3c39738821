from __future__ import annotations

from pathlib import Path

from mainspring.execution.filepairs import changes, lines_change


def test_directories_file_by_file(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for root in (one, other):
        (root / "sub").mkdir(parents=True)
        (root / "same").write_text("x")
        (root / "sub" / "data").write_bytes(b"\0" * 3_000_000)
    (one / "old").write_text("x")
    (other / "new").write_text("x")
    (other / "sub" / "data").write_bytes(b"\0" * 2_500_000 + b"x")
    assert [tuple(change) for change in changes(one, other)] == [
        ("new", "is new"),
        ("old", "is gone"),
        ("sub/data", "other bytes from offset 2,500,000 on, 3,000,000 bytes became 2,500,001"),
    ]


def test_a_file_in_the_place_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert [change.what for change in changes(tmp_path, tmp_path / "file")] == [
        "a directory became a file"
    ]
    assert [change.what for change in changes(tmp_path / "file", tmp_path)] == ["now a directory"]
    assert list(changes(tmp_path, tmp_path)) == []


def test_lines() -> None:
    assert lines_change(["a"], ["a", "b"]) == "1 lines became 2"
    assert lines_change(["a"], ["a"]) == "other line ends"
