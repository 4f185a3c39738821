"""The answer to a query is one file, byte for byte, whatever way the database gives it."""

from __future__ import annotations

import datetime
import importlib
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.services.postgres import Postgres

from mainspring.records.errors import MainspringError
from mainspring.storage import sqlsource
from mainspring.storage.sqlsource import snapshot, write_parquet

pytestmark = pytest.mark.system("sqlalchemy")
NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)


def read(path: Path) -> Any:
    return importlib.import_module("pyarrow.parquet").read_table(path)


@pytest.fixture
def url(postgres: Postgres) -> str:
    url = postgres.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE t (n bigint, price numeric(12, 3), name text, at timestamptz, day date,"
            " raw bytea, ok boolean, doc jsonb, key uuid, tags text[])"
        )
        rows: list[tuple[Any, ...]] = [
            (2, Decimal("1.500"), "é", NOON, NOON.date(), b"\0\1", True, '{"b": 1, "a": [2]}',
             "0" * 32, ["x", None]),
            (1, None, None, None, None, None, None, None, None, None),
            (3, Decimal("-7.125"), "", NOON, NOON.date(), b"", False, "{}", "f" * 32, []),
        ]  # fmt: skip
        for row in rows:
            marks = ", ".join(["%s"] * len(row))
            connection.execute(f"INSERT INTO t VALUES ({marks})", row)
    return url


@pytest.mark.system("postgres")
def test_types_and_order_are_kept(url: str, tmp_path: Path) -> None:
    rows, where = snapshot(url, "SELECT * FROM t;", tmp_path / "a.parquet")
    assert rows == 3
    assert where.startswith("postgresql+psycopg://")
    table = read(tmp_path / "a.parquet")
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds == {
        "n": "int64", "price": "decimal128(38, 3)", "name": "string", "at": "timestamp[us, tz=UTC]",
        "day": "date32[day]", "raw": "binary", "ok": "bool", "doc": "string", "key": "string",
        "tags": "list<element: string>",
    }  # fmt: skip
    one, two, three = table.to_pylist()
    assert set(one.values()) == {1, None}
    assert (two["price"], two["at"], two["raw"]) == (Decimal("1.500"), NOON, b"\0\1")
    assert (two["doc"], two["tags"]) == ('{"a": [2], "b": 1}', ["x", None])
    assert (three["name"], three["raw"], three["tags"]) == ("", b"", [])


@pytest.mark.system("postgres")
def test_equal_rows_are_equal_bytes(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot(url, "SELECT * FROM t", tmp_path / "a")
    monkeypatch.setenv("PGTZ", "Asia/Kathmandu")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE u AS SELECT * FROM t ORDER BY n DESC")
    snapshot("DATABASE", "SELECT * FROM u", tmp_path / "b", {"DATABASE": url})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    monkeypatch.setattr(sqlsource, "BATCH", 1)
    snapshot(url, "SELECT * FROM t", tmp_path / "c")
    assert read(tmp_path / "c").equals(read(tmp_path / "a"))
    snapshot(url, "SELECT n FROM t ORDER BY n DESC", tmp_path / "d")
    assert read(tmp_path / "d").to_pydict() == {"n": [3, 2, 1]}
    snapshot(url, "SELECT n FROM (SELECT n FROM t ORDER BY n DESC) AS x", tmp_path / "e")
    assert read(tmp_path / "e").to_pydict() == {"n": [1, 2, 3]}
    snapshot(url, "SELECT n FROM t WHERE name = 'order by'", tmp_path / "f")
    assert read(tmp_path / "f").column_names == ["n"]
    assert sorted(path.name for path in tmp_path.iterdir()) == list("abcdef")


@pytest.mark.system("postgres")
def test_a_password_is_never_said(postgres: Postgres, url: str, tmp_path: Path) -> None:
    secret = "s3cr3t"
    there = url.replace("postgres@", f"postgres:{secret}@")
    assert secret in there
    _, where = snapshot(f"{there}?application_name={secret}", "SELECT 1 AS a", tmp_path / "a")
    assert secret not in where
    for source, query in (
        (there, "SELECT nothing"),
        (there.replace("127.0.0.1", "127.0.0.1:1,127.0.0.1"), "SELECT 1 AS a"),
        (f"nonsense//{secret}://", "SELECT 1"),
    ):
        with pytest.raises(MainspringError) as caught:
            snapshot(source, query, tmp_path / "b")
        assert secret not in str(caught.value)
    assert not (tmp_path / "b").exists()


@pytest.mark.system("postgres")
def test_what_is_wrong_is_said(url: str, tmp_path: Path) -> None:
    for source, query, said in (
        (url, "SELECT 1 AS a, 2 AS a", "two columns 'a'"),
        (url, "SELECT missing FROM t", "missing"),
        (url, "DELETE FROM t", "the query failed"),
        (url, "SELECT '{}'::json AS j", "could not identify an ordering"),
        ("NOWHERE", "SELECT 1", "neither a URL nor a variable"),
    ):
        with pytest.raises(MainspringError, match=said):
            snapshot(source, query, tmp_path / "a", {})
    assert snapshot(url, "SELECT * FROM t", tmp_path / "a")[0] == 3  # nothing was deleted
    assert snapshot(url, "SELECT n, name FROM t WHERE false", tmp_path / "empty")[0] == 0
    assert read(tmp_path / "empty").column_names == ["n", "name"]


def test_other_databases(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("CREATE TABLE t (a, b)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(2, "x"), (1, None)])
    connection.close()
    rows, _ = snapshot(f"sqlite:///{tmp_path}/a.db", "SELECT * FROM t", tmp_path / "out")
    assert rows == 2
    assert read(tmp_path / "out").to_pylist() == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]


def test_columns_get_the_type_of_all_their_values(tmp_path: Path) -> None:
    parts = [[(None, Decimal("1.5"))], [(1, Decimal("2.25"))], [(2.5, None)]]
    assert write_parquet(["a", "b"], iter(parts), tmp_path / "t") == 3
    table = read(tmp_path / "t")
    assert [str(field.type) for field in table.schema] == ["double", "decimal128(38, 2)"]
    with pytest.raises(MainspringError, match="column 'a' have no one type"):
        write_parquet(["a"], iter([[(1,), ("x",)]]), tmp_path / "u")


def test_colons_are_no_parameters(tmp_path: Path) -> None:
    database = tmp_path / "d.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE t (b TEXT)")
        connection.execute("INSERT INTO t VALUES ('{\"k\":1} :x')")
    connection.close()
    query = "SELECT b FROM t WHERE b = '{\"k\":1} :x'"
    rows, _ = snapshot(f"sqlite:///{database}", query, tmp_path / "out")
    assert (rows, read(tmp_path / "out").to_pylist()) == (1, [{"b": '{"k":1} :x'}])
