"""The memo of what was found in code: last entry wins, old halves go, nothing is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.storage import memo as module
from mainspring.storage.cachefile import frame, frames
from mainspring.storage.memo import FileMemo


def log_of(home: Path) -> Path:
    return home / "cache" / "code.log"


def keys(home: Path) -> list[str]:
    return [key for key, _, _ in frames(log_of(home).read_bytes())]


def test_what_is_known_is_not_written_again(tmp_path: Path) -> None:
    memo = FileMemo(tmp_path)
    memo.put("a", b"one")
    size = log_of(tmp_path).stat().st_size
    memo.put("a", b"one")
    FileMemo(tmp_path).put("a", b"one")
    assert log_of(tmp_path).stat().st_size == size
    memo.put("a", b"two")
    assert keys(tmp_path) == ["a", "a"]
    assert FileMemo(tmp_path).get("a") == b"two"


def test_reading_writes_nothing(tmp_path: Path) -> None:
    assert FileMemo(tmp_path).get("a") is None
    assert not (tmp_path / "cache").exists()


def test_a_home_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    memo = FileMemo(tmp_path)
    memo.put("a", b"one")
    assert memo.get("a") == b"one"
    assert FileMemo(tmp_path).get("a") is None


def test_damage_is_cleared_away_by_the_next_reader(tmp_path: Path) -> None:
    good = frame("a", b"one")
    log_of(tmp_path).parent.mkdir()
    log_of(tmp_path).write_bytes(good + b"\xff" * 100)
    memo = FileMemo(tmp_path)
    assert memo.get("a") == b"one"
    assert log_of(tmp_path).read_bytes() == good
    memo.put("b", b"two")
    assert keys(tmp_path) == ["a", "b"]


def test_of_a_log_that_is_too_large_the_older_half_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 1000)
    memo = FileMemo(tmp_path)
    for number in range(20):
        memo.put(f"k{number}", bytes([number]) * 100)
    memo.put("k15", b"again" * 20)  # the last use counts, not the first
    kept = FileMemo(tmp_path)
    assert kept.get("k15") == b"again" * 20
    assert kept.get("k19") == bytes([19]) * 100
    assert kept.get("k0") is None
    assert log_of(tmp_path).stat().st_size < 1000
    assert keys(tmp_path)[-1] == "k15"
