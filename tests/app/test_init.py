from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mainspring.app.init import init_project
from mainspring.records.errors import ConflictError, ProjectError


def test_files_and_name(tmp_path: Path) -> None:
    written = init_project(tmp_path / "a b!")
    assert [path.name for path in written] == ["mainspring.toml", "pipeline.py", ".gitignore"]
    settings = tomllib.loads(written[0].read_text())
    assert settings["project"]["name"] == "a-b"


def test_gitignore_keeps_what_it_had(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.pyc")
    init_project(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "*.pyc\n.mainspring/\n"


@pytest.mark.parametrize("name", ["mainspring.toml", "pipeline.py"])
def test_nothing_is_overwritten_or_half_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConflictError, match=name):
        init_project(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_place_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="can't write"):
        init_project(tmp_path / "file")
