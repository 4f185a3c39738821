"""What a user reads when the database can't be reached; a password is in none of it."""

from __future__ import annotations

import pytest
from tests.services.postgres import Postgres

from mainspring.records.errors import MainspringError, StoreError, StoreUnavailableError
from mainspring.storage.postgres_connection import Address

pytestmark = pytest.mark.system("postgres")
SECRET = "hush-hush"


def refused(url: str) -> MainspringError:
    with pytest.raises(MainspringError) as caught:
        Address(url).connect().close()
    assert SECRET not in str(caught.value) + repr(caught.value)
    return caught.value


def test_wrong_words(postgres: Postgres) -> None:
    at = f"127.0.0.1:{postgres.port}"
    assert "does not exist" in str(refused(f"postgresql://postgres:{SECRET}@{at}/nowhere"))
    postgres.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    wrong = refused(f"postgresql://guarded:{SECRET}@{at}/postgres")
    assert "password authentication failed" in str(wrong)
    assert "PGPASSWORD" in str(wrong)
    assert not isinstance(wrong, StoreUnavailableError)
    assert "can't be read" in str(refused(f"postgresql://{SECRET}@[/x?y=z"))


def test_nobody_there() -> None:
    gone = refused(f"postgresql://ann:{SECRET}@127.0.0.1:1/db")
    assert isinstance(gone, StoreUnavailableError)
    assert "postgresql://ann@127.0.0.1:1/db" in str(gone)


def test_what_is_shown_has_no_password() -> None:
    address = Address(f"postgresql://ann:{SECRET}@db.example:5433/team?sslmode=require")
    assert str(address) == repr(address) == "postgresql://ann@db.example:5433/team"
    assert not address.own_schema
    assert Address("postgresql:///db?options=-csearch_path%3Dteam").own_schema


def test_a_closed_line_says_so(postgres: Postgres) -> None:
    from mainspring.storage.postgres_connection import Line

    line = Line(Address(postgres.url))
    assert line.open(0.0).execute("SELECT 1").fetchone() == (1,)
    line.close()
    with pytest.raises(StoreError, match="closed"):
        line.open(0.0)
