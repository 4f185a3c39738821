from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli, call, make_project
from tests.services.ceph import client
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


@pytest.fixture
def bucket(s3: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The variables of a project in a bucket of this test's own."""
    name = f"store-{uuid.uuid4().hex}"
    client(s3).create_bucket(Bucket=name)
    return {**s3, "MAINSPRING_BLOBS": f"s3://{name}/p"}


def test_values_move_to_a_bucket_and_back(
    cli: Cli, valid: Any, bucket: dict[str, str], tmp_path: Path
) -> None:
    cli("run", "tiny")
    place = bucket.pop("MAINSPRING_BLOBS")
    first = valid(cli("store", "copy-values", "--to", place, "--json", env=bucket).json)
    again = valid(cli("store", "copy-values", "--to", place, "--json", env=bucket).json)
    assert first["copied"] > 0
    assert (again["copied"], again["present"]) == (0, first["copied"])
    moved = {**bucket, "MAINSPRING_BLOBS": place}
    assert cli("run", "tiny", "--json", env=moved).json["counts"] == {"reused": 1}
    assert cli("gc", env=moved).code == 0
    back = cli("store", "copy-values", "--to", str(tmp_path / "back"), env=moved)
    assert f"copied {first['copied']} values" in back.out
    refused = cli("store", "copy-values", "--to", place, env=moved)
    assert refused.code == 2
    assert "where they are" in refused.err


def test_two_projects_do_not_share_a_prefix(
    cli: Cli, bucket: dict[str, str], tmp_path: Path
) -> None:
    other = make_project(tmp_path / "other")
    assert cli("run", "tiny", env=bucket).code == 0
    for words in (("run", "tiny"), ("gc",)):
        refused = call(other, *words, env=bucket)
        assert refused.code == 2
        assert "belong to another store" in refused.err
        assert "store claim" in refused.err
    assert "belong to this project's store now" in call(other, "store", "claim", env=bucket).out
    assert call(other, "run", "tiny", env=bucket).code == 0
    assert cli("gc", env=bucket).code == 2


def test_values_on_a_disk_need_no_claim(cli: Cli) -> None:
    refused = cli("store", "claim")
    assert refused.code == 2
    assert "nothing to claim" in refused.err
