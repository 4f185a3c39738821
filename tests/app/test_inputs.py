"""Datasets and models outside of runs, and versions chosen from Python."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.app.flows import write
from tests.app.sources import add_data, add_model, table

from mainspring import Dataset, Model
from mainspring.app import api
from mainspring.app.project import Project
from mainspring.definition.locations import set_root
from mainspring.records.errors import BlobError, DefinitionError, NotFoundError

MODULE = "inputs_of_this_test"
FLOW = """
    from pathlib import Path
    import pandas as pd
    from mainspring import Dataset, Model, pipeline, step

    @step
    def total(points: pd.DataFrame, k: int = 1) -> int:
        return int(points["x"].sum()) * k

    @step
    def length(model: Path) -> int:
        return len(model.read_text())

    @pipeline
    def main():
        return total(Dataset("points")), length(Model("bert"))

    @pipeline
    def own(data: int = 2):
        return total(Dataset("points"), k=data)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    root = tmp_path / "project"
    write(root, '[project]\nname = "demo"\n', "mainspring.toml")
    write(root, FLOW, f"{MODULE}.py")
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.chdir(root)
    set_root(root)
    yield api.open_project(root)
    set_root(None)
    sys.modules.pop(MODULE, None)


def module() -> Any:
    return importlib.import_module(MODULE)


def test_a_path_that_is_read_only(project: Project, tmp_path: Path) -> None:
    add_data(project, "points", table(tmp_path / "x.csv", 1, 2))
    path = Dataset("points").path()
    assert (path.name, path.read_text()) == ("x.csv", "x\n1\n2\n")
    assert path.stat().st_mode & 0o222 == 0
    assert Dataset("points").path() == path
    with open(Dataset("points@v1"), encoding="utf-8") as file:
        assert file.readline() == "x\n"
    add_data(project, "points", table(tmp_path / "d" / "y.csv", 5).parent)
    folder = Dataset("points").path()
    assert [inner.name for inner in folder.iterdir()] == ["y.csv"]
    assert (folder / "y.csv").stat().st_mode & 0o222 == 0
    with pytest.raises(NotFoundError, match="there is no dataset 'nope'"):
        Dataset("nope").path()
    for digest in {*project.store.read.referenced()}:
        project.blobs.delete(digest)
    with pytest.raises(BlobError, match="points@v1 can't be used"):
        Dataset("points@v1").path()


def test_a_step_called_by_hand_gets_what_a_worker_gives(project: Project, tmp_path: Path) -> None:
    add_data(project, "points", table(tmp_path / "x.csv", 1, 2))
    add_model(project, "bert", table(tmp_path / "m.txt", 7), alias="prod")
    flow = module()
    assert flow.total(Dataset("points")) == 3
    assert flow.total(points=Dataset("points"), k=3) == 9
    assert flow.length(Model("bert@prod")) == 4
    assert flow.main() == (3, 4)


def test_versions_from_python(project: Project, tmp_path: Path) -> None:
    for numbers in ((1, 2), (5,)):
        add_data(project, "points", table(tmp_path / "x.csv", *numbers))
    add_model(project, "bert", table(tmp_path / "m.txt", 7))
    flow = module()
    assert flow.main.run(data={"points": "v1"}).result == (3, 4)
    assert flow.main.run().result == (5, 4)
    assert flow.main.using(data={"points": 1}, models={"bert": 1}).run().result == (3, 4)
    assert flow.main.plan(data={"points": 1}).plan.sources["datasets.points"].version == "v1"
    assert flow.own.run(data=10).result == 50  # a parameter of its own
    assert flow.own.using(data={"points": 1}).run(data=10).result == 30
    with pytest.raises(DefinitionError, match="uses no dataset 'nope'"):
        flow.main.run(data={"nope": 1})
    with pytest.raises(DefinitionError, match="no version of dataset 'points'"):
        flow.main.run(data={"points": "new"})
