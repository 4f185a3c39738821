from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.app.flows import write

from mainspring.app.project import Project, import_roots
from mainspring.records.errors import DefinitionError, ProjectError
from mainspring.records.ports import Capacity
from mainspring.testing.executor import ScriptedExecutor, World


def test_its_home_is_made_and_found_from_below(project: Path) -> None:
    below = project / "src" / "deep"
    below.mkdir(parents=True)
    opened = Project.find(below)
    assert (opened.root, opened.home) == (project, project / ".mainspring")
    assert {path.name for path in opened.home.iterdir()} >= {"attempts", "blobs", "store.db"}
    opened.close()


def test_a_home_elsewhere(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "far"))
    opened = Project(project)
    assert opened.home == tmp_path / "far"
    assert not (project / ".mainspring").exists()
    opened.close()


def test_a_home_that_cannot_be_used(project: Path) -> None:
    (project / ".mainspring").write_text("a file")
    with pytest.raises(ProjectError, match="can't be used") as caught:
        Project(project)
    assert "MAINSPRING_HOME" in (caught.value.hint or "")


def test_custom_resources_come_from_the_settings(project: Path) -> None:
    write(project, '[project]\nname = "d"\n[execution.resources]\ntpu = 2\n', "mainspring.toml")
    opened = Project(project)
    executor = ScriptedExecutor(World(), Capacity(cpus=3.0, gpus=1))
    assert opened.capacity(executor) == Capacity(cpus=3.0, gpus=1, custom={"tpu": 2.0})
    opened.close()


def test_workers_come_from_the_settings(project: Path) -> None:
    write(project, '[project]\nname = "d"\n[execution]\nworkers = 3\n', "mainspring.toml")
    opened = Project(project)
    executor = opened.executor()
    assert executor.capacity().cpus == 3.0
    executor.close()
    opened.close()


def test_a_snapshot_is_what_is_there_now(project: Path) -> None:
    write(project, "A = 1\n", "a.py")
    write(project, "secret", "data/big.bin")
    settings = '[project]\nname = "d"\n[source]\nexclude = ["data/"]\n'
    write(project, settings, "mainspring.toml")
    opened = Project(project)
    manifest, digest = opened.snapshot([""])
    assert {file.path for file in manifest.files} >= {"a.py"}
    assert not any(file.path.startswith(("data/", ".mainspring/")) for file in manifest.files)
    place = opened.materialise(digest)
    write(project, "A = 2\n", "a.py")
    assert (place / "a.py").read_text() == "A = 1\n"
    assert opened.snapshot([""])[1] != digest
    write(project, "A = 1\n", "a.py")
    assert opened.snapshot([""])[1] == digest
    assert opened.code(digest) is opened.code(digest, manifest)
    opened.close()


def test_where_modules_are_imported_from(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("src", "scripts", ".hidden", "venv/site-packages"):
        (project / name).mkdir(parents=True)
    entries = [
        str(project / "scripts"), str(project / ".hidden"), str(project / "venv/site-packages"),
        str(tmp_path), str(project / "missing"), str(project),
    ]  # fmt: skip
    monkeypatch.setattr(sys, "path", entries)
    assert import_roots(project) == ["", "src", "scripts"]


def test_times_of_the_settings(project: Path) -> None:
    settings = (project / "mainspring.toml").read_text()
    opened = Project(project)
    assert (opened.seconds("lease"), opened.seconds("patience")) == (10.0, 600.0)
    opened.close()
    (project / "mainspring.toml").write_text(f'{settings}[execution]\nlease = "0.5s"\n')
    with pytest.raises(ProjectError, match=r"execution.lease: must be at least 1 s"):
        Project(project)
    (project / "mainspring.toml").write_text(f'{settings}[execution]\nlease = "soon"\n')
    with pytest.raises(DefinitionError, match=r"execution.lease: `lease` is 'soon', which is not"):
        Project(project)
    (project / "mainspring.toml").write_text(f'{settings}[execution]\npatience = "1h30m"\n')
    opened = Project(project)
    assert opened.seconds("patience") == 5400.0
    opened.close()
