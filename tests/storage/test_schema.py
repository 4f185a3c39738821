"""The store's file is made whole or not at all, and left alone when it is as it should be."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mainspring.records.errors import StoreError
from mainspring.storage.schema import APPLICATION, MIGRATIONS, prepare
from mainspring.storage.sqlite import SqliteStore


def migrations(folder: Path, *scripts: str) -> Path:
    folder.mkdir()
    for number, script in enumerate(scripts, 1):
        (folder / f"{number:04}_change.sql").write_text(script, encoding="utf-8")
    (folder / "README.txt").write_text("not a migration")
    return folder


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return found


def columns(path: Path, table: str) -> list[str]:
    connection = sqlite3.connect(path)
    found = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    connection.close()
    return found


FIRST = "CREATE TABLE t (a);\nINSERT INTO t VALUES (1);"


def test_a_fresh_store_has_all_migrations(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "store.db"
    steps = migrations(tmp_path / "m", FIRST, "ALTER TABLE t ADD COLUMN b;", "SELECT 1;")
    prepare(path, migrations=steps)
    assert (version(path), columns(path, "t")) == (3, ["a", "b"])
    assert os.listdir(path.parent) == ["store.db"]


def test_a_store_of_the_present_format_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    steps = migrations(tmp_path / "m", FIRST)
    prepare(path, migrations=steps)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    prepare(path, migrations=steps)
    prepare(path, migrate=True, migrations=steps)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert sorted(os.listdir(tmp_path)) == ["m", "store.db"]


def test_a_store_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "home" / "store.db"
    steps = migrations(tmp_path / "m", FIRST, "THIS IS WRONG;")
    with pytest.raises(StoreError):
        prepare(path, migrations=steps)
    assert os.listdir(path.parent) == []
    (steps / "0002_change.sql").write_text("SELECT 1;")
    prepare(path, migrations=steps)
    assert version(path) == 2


def test_several_formats_are_passed_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    old = migrations(tmp_path / "old", FIRST)
    prepare(path, migrations=old)
    new = migrations(
        tmp_path / "new", FIRST, "ALTER TABLE t ADD COLUMN b;", "ALTER TABLE t ADD COLUMN c;"
    )
    with pytest.raises(StoreError, match=r"older format \(1, this Mainspring writes 3\)"):
        prepare(path, migrations=new)
    assert columns(path, "t") == ["a"]
    prepare(path, migrate=True, migrations=new)
    assert (version(path), columns(path, "t")) == (3, ["a", "b", "c"])
    copy = tmp_path / "store.db.bak-1"
    assert (version(copy), columns(copy, "t")) == (1, ["a"])
    with pytest.raises(StoreError, match=r"newer Mainspring \(format 3, this one knows 1\)"):
        prepare(path, migrate=True, migrations=old)


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    with pytest.raises(StoreError) as caught:
        prepare(tmp_path / "store.db")
    assert caught.value.where == str(tmp_path / "store.db")


def test_a_file_where_the_home_should_be(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(StoreError) as caught:
        prepare(tmp_path / "home" / "store.db")
    assert caught.value.hint is not None


def test_the_mark_of_the_file_is_our_name() -> None:
    assert APPLICATION.to_bytes(4, "big") == b"MSPR"
    numbers = [int(path.name[:4]) for path in sorted(MIGRATIONS.glob("*.sql"))]
    assert numbers[0] == 1
    assert len(set(numbers)) == len(numbers)


def test_a_file_of_the_first_format_gets_the_indexes_for_large_runs(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    first = migrations(tmp_path / "m", (MIGRATIONS / "0001_initial.sql").read_text("utf-8"))
    prepare(path, migrations=first)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO runs (id, pipeline, status, wish, spec, snapshot, parameters, seed,"
            " created) VALUES ('r', 'p', 'running', 'run', 's', 's', '{}', '0', 1.0)"
        )
        for number, (index, wait) in enumerate([(None, None), (0, None), (1, 9.0)], 7):
            connection.execute(
                "INSERT INTO tasks (id, run, path, node, kind, status, pending, parent, idx,"
                " not_before, pipeline, created) VALUES (?, 'r', ?, 'm', 'm', 'ready', 0, 1, ?, ?,"
                " 'p', 1.0)",
                (number, f"t{number}", index, wait),
            )
    with pytest.raises(StoreError, match=r"older format \(1, "):
        SqliteStore(path)
    store = SqliteStore(path, migrate=True)
    assert version(tmp_path / "store.db.bak-1") == 1
    assert [task.id for task in store.read.top_tasks("r")] == [7]
    with store.write() as tx:
        assert [task.id for task in tx.ready(["r"], 0.0, 9)] == [7, 8]
        assert [task.id for task in tx.delayed(["r"], 10.0, 9)] == [9]
    assert store.integrity() == []
    store.close()


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "store.db")
    with pytest.raises(StoreError, match="no plain file"):
        prepare(tmp_path / "store.db")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="no plain file"):
        prepare(tmp_path / "folder")
