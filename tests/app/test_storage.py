"""Which parts a project's settings choose."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.services.postgres import Postgres

from mainspring.app.storage import open_leases, open_project_blobs, open_store
from mainspring.records.errors import ProjectError
from mainspring.settings import StorageTable


def test_the_defaults_are_in_the_home(tmp_path: Path) -> None:
    store = open_store(StorageTable(), tmp_path)
    store.close()
    assert (tmp_path / "store.db").exists()
    assert open_project_blobs(StorageTable(), tmp_path).root == tmp_path / "blobs"
    assert not open_leases(StorageTable(), tmp_path).alive("nobody")


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="store"):
        open_store(StorageTable(store="mysql://h/d"), tmp_path)
    with pytest.raises(ProjectError, match="blobs"):
        open_project_blobs(StorageTable(blobs="ftp://h/d"), tmp_path)


@pytest.mark.system("postgres")
def test_leases_are_kept_where_the_records_are(tmp_path: Path, postgres: Postgres) -> None:
    chosen = StorageTable(store=postgres.new_database())
    homes = [tmp_path / name / "engines" for name in ("one", "two")]
    for home in homes:
        home.mkdir(parents=True)
    one, two = (open_leases(chosen, home.parent, ttl=5.0) for home in homes)
    one.hold("engine-1")
    assert two.living() == ["engine-1"]
    one.release("engine-1")
    assert two.living() == []
    one.close()
    two.close()
