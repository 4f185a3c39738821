"""Statements that travel with the next one: in order, seen by what follows, undone as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.services.postgres import Postgres

from mainspring.records.errors import ConflictError, StoreError
from mainspring.storage.postgres_connection import Address
from mainspring.storage.postgres_session import PostgresReadSession, PostgresWriteSession

pytestmark = pytest.mark.system("postgres")

ADD = "INSERT INTO things (id, name) VALUES (?, ?)"
ALL = "SELECT id, name FROM things ORDER BY id"


@pytest.fixture
def session(postgres: Postgres) -> Iterator[PostgresWriteSession]:
    url = postgres.new_database()
    postgres.execute("CREATE SCHEMA mainspring", url)
    postgres.execute("CREATE TABLE mainspring.things (id int PRIMARY KEY, name text)", url)
    opened = PostgresWriteSession(Address(url))
    yield opened
    opened.close()


def committed(session: PostgresWriteSession) -> list[tuple[object, ...]]:
    reader = PostgresReadSession(session._line.address)
    try:
        return reader.rows(ALL)
    finally:
        reader.close()


def test_what_comes_later_comes_in_order_and_before_what_is_asked(
    session: PostgresWriteSession,
) -> None:
    session.begin()
    session.later(ADD, (1, "a"))
    session.later("UPDATE things SET name = ? WHERE id = ?", ("b", 1))
    session.many(ADD, [(2, "x\0y")])
    assert session.rows(ALL) == [(1, "b"), (2, "x\0y")]
    session.later(ADD, (3, "c"))
    assert session.change("UPDATE things SET name = 'd'") == 3
    session.later("DELETE FROM things WHERE id = ?", (2,))
    session.many(ADD, [(number, "m") for number in range(10, 40)])
    session.later("DELETE FROM things WHERE id > ?", (10,))
    session.end(commit=True)
    assert committed(session) == [(1, "d"), (3, "d"), (10, "m")]


def test_an_undone_transaction_leaves_nothing_for_the_next_one(
    session: PostgresWriteSession,
) -> None:
    session.begin()
    session.later(ADD, (1, "a"))
    session.end(commit=False)
    session.begin()
    session.later(ADD, (2, "b"))
    session.end(commit=True)
    assert committed(session) == [(2, "b")]


ASKED: dict[str, Callable[[PostgresWriteSession], object]] = {
    "rows": lambda session: session.rows(ALL),
    "change": lambda session: session.change(ADD, (3, "c")),
    "many": lambda session: session.many(ADD, [(number, "m") for number in range(10, 40)]),
    "commit": lambda session: session.end(commit=True),
}


@pytest.mark.parametrize("asked", list(ASKED))
def test_a_failure_shows_with_the_next_statement_and_undoes_all(
    session: PostgresWriteSession, asked: str
) -> None:
    session.begin()
    session.change(ADD, (1, "a"))
    session.later(ADD, (1, "again"))
    session.later(ADD, (2, "b"))
    with pytest.raises(ConflictError, match="refused a change"):
        ASKED[asked](session)
    if asked != "commit":
        with pytest.raises(StoreError, match="a statement had failed"):
            session.later(ADD, (4, "d"))
        with pytest.raises(StoreError, match="was undone"):
            session.end(commit=True)
    assert committed(session) == []
    session.begin()  # it is of use again
    session.later(ADD, (5, "e"))
    session.end(commit=True)
    assert committed(session) == [(5, "e")]


def test_nothing_is_left_for_later_outside_of_a_transaction(session: PostgresWriteSession) -> None:
    with pytest.raises(StoreError, match="outside of its block"):
        session.later(ADD, (1, "a"))
