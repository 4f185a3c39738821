"""The digits example has the same artifacts wherever its values are kept and its steps run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.e2e.place import Place, finish
from tests.services.ceph import Ceph
from tests.services.podman import Podman
from tests.services.postgres import Postgres

pytestmark = pytest.mark.timeout(600)
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


@pytest.mark.system("postgres")
@pytest.mark.system("ceph")
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


@pytest.mark.system("podman")
def test_digits_in_containers(tmp_path: Path, podman: Podman, python_image: str) -> None:
    here, inside = digits(tmp_path / "here"), digits(tmp_path / "inside")
    expected = here.counts()
    inside.write("envs/Dockerfile", f"FROM {python_image}\nENV MADE=here\n")
    steps = (inside.root / "steps.py").read_text("utf-8")
    contained = '@step(environment="envs/Dockerfile", '
    changed = steps.replace("@step\n", "@step()\n").replace("@step(", contained)
    assert changed.count(contained) == 6
    inside.write("steps.py", changed)
    inside.env["CONTAINER_HOST"] = podman.url
    done = finish(inside.popen("run", "--json"), limit=400)  # six containers import scikit-learn
    assert done.json["counts"] == expected, done
    assert len(here.show().digests) > 5
    assert inside.show().digests == here.show().digests
    assert podman.names() == []
    assert inside.counts()["reused"] > 3
