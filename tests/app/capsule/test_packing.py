"""Which files a capsule has: here, those of datasets that the run names."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from tests.app.capsule.world import make_project, run_in
from tests.app.sources import add_data, table
from tests.cli.conftest import call

from mainspring.app.capsule.importing import take
from mainspring.app.capsule.opening import Trust
from mainspring.app.capsule.writing import export
from mainspring.app.project import Project

FLOW = """\
from pathlib import Path

from mainspring import Dataset, pipeline, step


@step
def rows(raw: Path) -> int:
    return len(raw.read_text().splitlines()) - 1


@pipeline
def main():
    return rows(Dataset("numbers"))
"""


@pytest.mark.parametrize("copied", [True, False])
def test_the_data_go_along_or_stay(tmp_path: Path, copied: bool) -> None:
    root = make_project(tmp_path / "project", FLOW)
    source = Project(root)
    version = add_data(source, "numbers", table(tmp_path / "numbers.csv", 1, 2, 3))
    run = source.store.read.run(run_in(root)["id"])
    target = tmp_path / "x.crate.zip"
    view = export(source, run, target, key=None, data=copied)
    with zipfile.ZipFile(target) as capsule:
        held = [name for name in capsule.namelist() if name.startswith("data/")]
    assert bool(held) == copied
    assert [found.digest for found in view.left_out] == ([] if copied else [version.ref.digest])
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mainspring.toml").write_text('[project]\nname = "there"\n')
    there = Project(tmp_path / "there")
    take(there, target, Trust(unsigned=True))
    assert there.store.read.run(run.id).sources == run.sources
    assert there.blobs.has(version.ref.digest) == copied
    done = call(there.root, "rerun", run.id, "-q", "--json")
    assert (done.code == 0) == copied, done.err
    if copied:
        again = json.loads(done.out)["run"]["id"]
        read = there.store.read
        assert read.artifacts(again) == read.artifacts(run.id)
    there.close()
    source.close()
