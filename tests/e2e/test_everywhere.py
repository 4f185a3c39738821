"""The digits example has the same artifacts wherever its records and values are kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.e2e.place import Place
from tests.services.ceph import Ceph
from tests.services.postgres import Postgres

pytestmark = [
    pytest.mark.system("postgres"),
    pytest.mark.system("ceph"),
    pytest.mark.timeout(300),
]
DIGITS = Path(__file__).parents[2] / "examples" / "digits"


def digits(root: Path) -> Place:
    place = Place(root)
    shutil.copytree(
        DIGITS,
        root,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(".mainspring", "__pycache__"),
    )
    return place


def test_digits_on_disk_and_on_servers(tmp_path: Path, postgres: Postgres, ceph: Ceph) -> None:
    here, there = digits(tmp_path / "here"), digits(tmp_path / "there")
    here.run()
    bucket = "digits"
    ceph.client().create_bucket(Bucket=bucket)
    there.env.update(ceph.variables)
    there.env["MAINSPRING_STORE"] = postgres.new_database()
    there.env["MAINSPRING_BLOBS"] = f"s3://{bucket}/team/a"
    there.run()
    assert len(here.show().digests) > 5
    assert there.show().digests == here.show().digests
    assert not (there.home / "store.db").exists()
    # Another machine of the team: an empty home, the same servers.
    other = digits(tmp_path / "other")
    other.env.update(there.env)
    counts = other.counts()
    assert counts.pop("reused") > 3
    assert set(counts) <= {"succeeded"}  # a checkpoint is judged again
    assert other.show().digests == here.show().digests
