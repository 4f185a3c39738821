"""Which parts a project's settings choose."""

from __future__ import annotations

from pathlib import Path

import pytest

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
