"""SQL files: every statement has its name, every fragment its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mainspring.storage import statements as module
from mainspring.storage.statements import statements

NOUNS = sorted(path.stem for path in (Path(module.__file__).parent / "sql").glob("*.sql"))

BASES = {"facts": "metrics", "search": "runs"}
"""Whose fragments a file uses, if not those of tasks."""

SLOTS = {"search": {"where", "way", "column", "range"}}
"""What code fills in itself (with pieces of SQL of its own, never with input)."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_FOLDER", tmp_path)
    statements.cache_clear()
    return tmp_path


def test_blocks_fragments_and_comments(folder: Path) -> None:
    (folder / "a.sql").write_text(
        "-- About it all.\nnot a statement\n-- fragment: columns\nx, y\n\n"
        "-- name: get\n-- by id\nSELECT {columns}\n  FROM t -- to the end\n\n\n-- name: all\n"
        "SELECT {columns} FROM t WHERE {other}\n"
    )
    (folder / "b.sql").write_text("-- name: one\nSELECT {columns} FROM b\n")
    assert statements("a") == {
        "get": "SELECT x, y\n  FROM t -- to the end",
        "all": "SELECT x, y FROM t WHERE {other}",
    }
    assert statements("a", "b")["one"] == "SELECT x, y FROM b"
    assert statements("b") == {"one": "SELECT {columns} FROM b"}
    statements.cache_clear()


def test_a_noun_that_has_no_file(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        statements("nope")


def test_files_are_read_once(folder: Path) -> None:
    (folder / "a.sql").write_text("-- name: one\nSELECT 1\n")
    first = statements("a")
    (folder / "a.sql").unlink()
    assert statements("a") is first
    statements.cache_clear()


@pytest.mark.parametrize("noun", NOUNS)
def test_nothing_is_left_to_be_filled_in(noun: str) -> None:
    found = statements(BASES.get(noun, "tasks"), noun)
    assert found
    for name, sql in found.items():
        assert set(re.findall(r"\{(\w+)\}", sql)) <= SLOTS.get(noun, set()), name
        assert sql.strip(), name


@pytest.mark.parametrize("noun", NOUNS)
def test_no_name_stands_twice_in_one_file(noun: str) -> None:
    text = (Path(module.__file__).parent / "sql" / f"{noun}.sql").read_text(encoding="utf-8")
    names = re.findall(r"^-- (name|fragment): (\S+)$", text, re.MULTILINE)
    assert len(names) == len(set(names))
    assert names
