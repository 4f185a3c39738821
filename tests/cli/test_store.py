from __future__ import annotations

from typing import Any

import pytest
from tests.cli.conftest import Cli
from tests.services.postgres import Postgres


def test_a_whole_store(cli: Cli, valid: Any) -> None:
    cli("run", "tiny")
    assert valid(cli("store", "check", "--json").json)["faults"] == []
    assert "its records agree" in cli("store", "migrate").out


@pytest.mark.system("postgres")
def test_a_project_moves_to_postgresql_and_back(cli: Cli, valid: Any, postgres: Postgres) -> None:
    cli("run", "tiny")
    url = postgres.new_database()
    found = valid(cli("store", "copy", "--to", url, "--json").json)
    assert found["rows"]["runs"] == 1
    moved = {"MAINSPRING_STORE": url}
    assert cli("run", "tiny", "--json", env=moved).json["counts"] == {"reused": 1}
    assert cli("store", "check", env=moved).code == 0
    assert cli("store", "copy", "--to", "back.db", env=moved).code == 0
    refused = cli("store", "copy", "--to", "back.db", env=moved)
    assert refused.code == 2
    assert "not empty" in refused.err
