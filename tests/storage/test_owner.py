"""Whose a prefix is."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from tests.services.ceph import client
from tests.services.postgres import Postgres

from mainspring.records.errors import BlobError, ConflictError, StoreError
from mainspring.storage import remote
from mainspring.storage.bucket_access import parse_url
from mainspring.storage.objects import Objects
from mainspring.storage.owner import KEY, claim, id_in_home

ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture
def objects(s3: dict[str, str], tmp_path: Path) -> Objects:
    name = f"owner-{abs(hash(tmp_path))}"
    client(s3).create_bucket(Bucket=name)
    return Objects(parse_url(f"s3://{name}/p"), s3)


def test_a_prefix_belongs_to_who_came_first(objects: Objects):
    claim(objects, ONE)
    claim(objects, ONE)
    with pytest.raises(ConflictError, match="belong to another store"):
        claim(objects, TWO)
    claim(objects, TWO, take=True)
    with pytest.raises(ConflictError, match="belong to another store"):
        claim(objects, ONE)


def test_of_many_at_once_one_wins(objects: Objects):
    won: list[str] = []

    def run(store: str) -> None:
        try:
            claim(objects, store)
            won.append(store)
        except ConflictError:
            return

    threads = [threading.Thread(target=run, args=(f"{n:032x}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_a_marker_that_is_something_else_is_named(objects: Objects):
    objects.put(KEY, b"{}")
    with pytest.raises(BlobError, match=KEY):
        claim(objects, ONE)


def test_a_home_keeps_its_id(tmp_path: Path):
    found = id_in_home(tmp_path)
    assert id_in_home(tmp_path) == found != id_in_home(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["store.id"]
    (tmp_path / "store.id").write_text("?", "ascii")
    with pytest.raises(StoreError, match=r"store\.id"):
        id_in_home(tmp_path)


@pytest.mark.system("postgres")
def test_a_database_keeps_its_id(postgres: Postgres):
    from mainspring.storage.postgres import PostgresStore
    from mainspring.storage.postgres_schema import identity

    ids: list[str] = []
    for _ in range(2):
        store = PostgresStore(postgres.new_database())
        ids += [identity(store.address, 5.0), identity(store.address, 5.0)]
        store.close()
    assert ids[0] == ids[1] != ids[2] == ids[3]


def test_a_bucket_that_cannot_be_reached_is_said_soon(
    s3: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(remote, "_FIRST", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    away = {**s3, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    blobs = remote.RemoteBlobs("s3://b/p", tmp_path, 1_000_000, away)
    with pytest.raises(BlobError, match="can't reach"):
        blobs.claim(ONE)
