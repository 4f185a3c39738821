"""A store of a former format is refused, then migrated: nothing is lost, what is new is there.

`data/format-N.db` was made by the program that wrote format N, from a pipeline with a map, a
checkpoint, metrics, reused tasks and runs that failed.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.services.postgres import Postgres

from mainspring.records.errors import StoreError
from mainspring.records.stores import RunFilter, Store
from mainspring.storage import postgres_schema
from mainspring.storage.postgres import PostgresStore
from mainspring.storage.postgres_connection import Address
from mainspring.storage.sqlite import SqliteStore

DATA = Path(__file__).parent / "data"
OLD = sorted(int(path.stem.partition("-")[2]) for path in DATA.glob("format-*.db"))
TABLES = (
    "specs", "statics", "runs", "tasks", "edges", "attempts", "artifacts", "results",
    "divergences", "expected", "decisions", "series", "points", "media",
)  # fmt: skip


def contents(path: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows, each by its columns' names."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        return {
            name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]
            for (name,) in tables
        }


def check_facts(store: Store) -> None:
    """What runs are found by since format 3."""
    runs = [run.id for run in reversed(store.read.runs(RunFilter()))]
    facts = store.read.facts(runs)
    assert facts[runs[1]] == {
        "metrics.accuracy": 0.63,
        "metrics.loss": 1 / 3,
        "metrics.train/f1": 0.5,
        "params.c": 0.7,
        "params.layers.sizes": "[8,4]",
        "params.n": 3.0,
        "params.solver": "newton",
    }
    assert facts[runs[0]]["metrics.doubled"] == 4.0
    assert "metrics.loss" not in facts[runs[3]]  # what would have logged it was blocked
    assert facts[runs[4]]["metrics.accuracy"] == 0.9  # of a reused task
    assert store.read.notes(runs) == {}


def check(store: Store, old: int) -> None:
    """What the steps after format `old` have filled in, and that all of it can be read."""
    runs = store.read.runs(RunFilter())
    assert [run.status.value for run in runs] == [
        "succeeded", "failed", "failed", "succeeded", "succeeded",
    ]  # fmt: skip
    for run in runs:
        assert store.read.spec(run.spec)
        for task in store.read.tasks(run.id):
            assert store.read.outputs(task.id) is not None
            assert (store.read.key_parts(task.id) is None) == (task.key is None)
        assert len(store.read.verdicts(run.id)) == (run is not runs[1])
    assert {m.name: m.last for m in store.read.metrics(runs[-1].id) if m.task == "train"} == {
        "loss": 1 / 3, "accuracy": 0.9, "train/f1": 0.5,
    }  # fmt: skip
    if old < 3:
        check_facts(store)


@pytest.mark.parametrize("old", OLD)
def test_a_file(old: int, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    shutil.copy(DATA / f"format-{old}.db", path)
    before = contents(path)
    with pytest.raises(StoreError, match=rf"older format \({old}, "):
        SqliteStore(path)
    assert contents(path) == before
    store = SqliteStore(path, migrate=True)
    check(store, old)
    assert store.integrity() == []
    store.close()
    after = contents(path)
    for name, rows in before.items():
        kept = [{column: row[column] for column in rows[0]} for row in after[name]] if rows else []
        assert kept == rows
    assert contents(tmp_path / f"store.db.bak-{old}") == before


@pytest.mark.parametrize("old", OLD)
def test_by_the_verb(old: int, project: Path) -> None:
    (project / ".mainspring").mkdir()
    shutil.copy(DATA / f"format-{old}.db", project / ".mainspring" / "store.db")

    def cli(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "mainspring", *arguments],
            cwd=project, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    status, said = cli("runs")
    assert status == 2
    assert "mainspring store migrate" in said
    assert cli("store", "migrate")[0] == 0
    status, said = cli("runs")
    assert status == 0
    assert len(re.findall("digits", said)) == 5
    assert cli("show", "latest")[0] == 0


@pytest.fixture(params=OLD)
def old_database(
    request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path
) -> tuple[int, str]:
    """A database of an old format with the rows of its file."""
    old: int = request.param
    for number, path in postgres_schema.numbered().items():
        if number <= old:
            shutil.copy(path, tmp_path / path.name)
    url = postgres.new_database()
    address = Address(url)
    postgres_schema.prepare(address, 5.0, migrations=tmp_path)
    with address.connect(5.0) as connection, connection.transaction():
        for table in TABLES:
            for row in contents(DATA / f"format-{old}.db")[table]:
                names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
                sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"
                connection.execute(sql, tuple(row.values()))
    return old, url


@pytest.mark.system("postgres")
def test_a_database(old_database: tuple[int, str]) -> None:
    old, url = old_database
    with pytest.raises(StoreError, match=rf"older format \({old}, "):
        PostgresStore(url)
    store = PostgresStore(url, migrate=True)
    check(store, old)
    assert store.integrity() == []
    store.close()
