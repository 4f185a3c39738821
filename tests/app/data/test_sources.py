"""A table of a database becomes a version; the same tomorrow is none."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from tests.services.postgres import Postgres

from mainspring.app.data.adding import Wanted
from mainspring.app.data.diffing import diff
from mainspring.app.data.sources import add_query
from mainspring.app.data.verifying import verify
from mainspring.app.project import Project

pytestmark = [pytest.mark.system("postgres"), pytest.mark.system("sqlalchemy")]


def test_a_table_from_one_day_to_the_next(postgres: Postgres, project: Path) -> None:
    opened, url = Project(project), postgres.new_database()
    wanted, query = Wanted(name="people", label="kind"), "SELECT * FROM people"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE people (id int PRIMARY KEY, name text, kind text)")
        for number in range(100):
            kind = None if number % 5 == 0 else "ab"[number % 2]
            connection.execute(
                "INSERT INTO people VALUES (%s, %s, %s)", (number, f"n{number}", kind)
            )
        one = add_query(opened, wanted, url, query)
        assert (one.new, one.version.rows, one.version.labelled) == (True, 100, 80)
        assert one.version.origin.endswith(": SELECT * FROM people")
        connection.execute("UPDATE people SET name = name")  # other places on the disk
        connection.execute("VACUUM FULL people")
        tomorrow = add_query(opened, Wanted(name="people"), url, query)
        assert (tomorrow.new, tomorrow.version) == (False, one.version)
        connection.execute("UPDATE people SET name = 'other' WHERE id = 42")
        connection.execute("DELETE FROM people WHERE id = 7")
        two = add_query(opened, Wanted(name="people"), url, query)
    assert (two.new, two.version.name, two.version.rows) == (True, "people@v2", 99)
    [rows] = diff(opened, one.version, two.version).rows
    assert rows.added_rows == [{"id": 42, "name": "other", "kind": "a"}]
    assert rows.removed_rows == [
        {"id": 7, "name": "n7", "kind": "b"}, {"id": 42, "name": "n42", "kind": "a"},
    ]  # fmt: skip
    assert verify(opened, one.version).faults == []
    assert list((opened.home / "cache").glob("query-*")) == []
