"""A database is taken for what it is: empty, ours, another's, older, newer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.services.postgres import Postgres

from mainspring.records.errors import StoreError
from mainspring.storage import postgres_schema, schema
from mainspring.storage.postgres import PostgresStore
from mainspring.storage.postgres_connection import Address

pytestmark = pytest.mark.system("postgres")


def test_both_kinds_of_store_have_one_format() -> None:
    assert max(postgres_schema.numbered()) == max(schema.numbered())


def test_many_make_the_tables_at_once(postgres: Postgres) -> None:
    url = postgres.new_database()
    with ThreadPoolExecutor(4) as pool:
        for store in pool.map(lambda _: PostgresStore(url), range(4)):
            store.close()
    assert postgres.execute("SELECT count(*) FROM mainspring.format", url) == [(1,)]


def test_another_schema(postgres: Postgres) -> None:
    url = postgres.new_database()
    PostgresStore(f"{url}?options=-csearch_path%3Dteam").close()
    assert postgres.execute("SELECT to_regclass('team.runs') IS NOT NULL", url) == [(True,)]
    assert postgres.execute("SELECT to_regclass('mainspring.runs') IS NULL", url) == [(True,)]


def test_tables_of_others_are_left_alone(postgres: Postgres) -> None:
    url = postgres.new_database()
    postgres.execute("CREATE SCHEMA mainspring CREATE TABLE runs (id int)", url)
    with pytest.raises(StoreError, match="no Mainspring store"):
        PostgresStore(url)


def test_newer_and_older_formats(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database()
    PostgresStore(url).close()
    now = max(postgres_schema.numbered())
    postgres.execute(f"UPDATE mainspring.format SET version = {now + 1}", url)
    with pytest.raises(StoreError, match="newer Mainspring"):
        PostgresStore(url)
    postgres.execute(f"UPDATE mainspring.format SET version = {now}", url)
    for number, path in postgres_schema.numbered().items():
        (tmp_path / f"{number:04}_x.sql").write_text(path.read_text("utf-8"))
    (tmp_path / f"{now + 1:04}_more.sql").write_text("CREATE TABLE more (id bigint)")
    address = Address(url)
    with pytest.raises(StoreError, match="older format"):
        postgres_schema.prepare(address, 1.0, migrations=tmp_path)
    postgres_schema.prepare(address, 1.0, migrate=True, migrations=tmp_path)
    assert postgres.execute("SELECT version FROM mainspring.format", url) == [(now + 1,)]
    assert postgres.execute("SELECT count(*) FROM mainspring.more", url) == [(0,)]
