"""The PostgreSQL store: the contract, and what only a server that others share can do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.contracts.store_suite import StoreSuite
from tests.services.postgres import Postgres

from mainspring.records.stores import Store
from mainspring.storage.postgres import PostgresStore

pytestmark = pytest.mark.system("postgres")


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """The name of a database with an empty store, to be copied for each test."""
    url = postgres.new_database()
    PostgresStore(url).close()
    return url.rpartition("/")[2]


class TestPostgresStore(StoreSuite):
    @pytest.fixture
    def new_store(self, postgres: Postgres, template: str) -> Callable[[], Store]:
        return lambda: PostgresStore(postgres.new_database(template))
