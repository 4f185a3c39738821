"""Caches on disk: what is damaged is not there; what is replaced is replaced at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.storage.cachefile import frame, frames, load_checked, replace_file, save_checked

entries = st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=5),
                             st.binary(max_size=20)), max_size=4)  # fmt: skip


@given(st.binary(max_size=50), st.data())
def test_any_change_of_a_checked_file_shows(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cache") / "file"
    save_checked(path, content)
    assert load_checked(path) == content
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(raw))
    assert load_checked(path) is None
    path.write_bytes(bytes(raw[: data.draw(st.integers(0, 15))]))
    assert load_checked(path) is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert load_checked(tmp_path / "none") is None
    assert load_checked(tmp_path) is None  # a directory


def test_a_disk_that_refuses_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    save_checked(tmp_path / "file" / "below", b"x")
    with pytest.raises(OSError, match="file"):
        replace_file(tmp_path / "file" / "below", b"x")


def test_a_replaced_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    replace_file(path, b"one")
    inode = path.stat().st_ino
    with path.open("rb") as reader:
        replace_file(path, b"two")
        assert reader.read() == b"one"  # whoever has it open goes on with the old one
    assert path.read_bytes() == b"two"
    assert path.stat().st_ino != inode
    assert os.listdir(path.parent) == ["file"]


def test_what_could_not_be_put_in_place_is_cleared_away(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="target"):
        replace_file(target, b"x")
    assert os.listdir(tmp_path) == ["target"]


@given(entries)
def test_a_log_gives_back_its_entries(items: list[tuple[str, bytes]]) -> None:
    data = b"".join(frame(key, value) for key, value in items)
    found = list(frames(data))
    assert [(key, value) for key, value, _ in found] == items
    assert [end for *_, end in found][-1:] == ([len(data)] if items else [])


@given(entries, st.data())
def test_of_a_damaged_log_all_before_the_damage_is_kept(
    items: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    parts = [frame(key, value) for key, value in items]
    log = bytearray(b"".join(parts))
    if not log:
        return
    at = data.draw(st.integers(0, len(log) - 1))
    log[at] ^= data.draw(st.integers(1, 255))
    whole = next(i for i in range(len(parts)) if at < sum(map(len, parts[: i + 1])))
    assert [(key, value) for key, value, _ in frames(bytes(log))] == items[:whole]


@given(entries, st.integers(0, 200))
def test_a_log_cut_short(items: list[tuple[str, bytes]], keep: int) -> None:
    data = b"".join(frame(key, value) for key, value in items)[:keep]
    found = [(key, value) for key, value, _ in frames(data)]
    assert found == items[: len(found)]
    assert sum(len(frame(*item)) for item in found) <= keep
