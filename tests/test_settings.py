from __future__ import annotations

from pathlib import Path

import pytest

from mainspring import settings
from mainspring.records.errors import ProjectError

PROJECT = '[project]\nname = "demo"\n'


def wrong(root: Path, text: str, name: str = settings.FILE) -> ProjectError:
    (root / name).write_text(text, "utf-8")
    with pytest.raises(ProjectError) as caught:
        settings.load(root)
    return caught.value


def test_all_that_can_be_said(tmp_path: Path) -> None:
    (tmp_path / settings.FILE).write_text(
        """
        [project]
        name = "demo"
        pipelines = ["flow:main", "other.yaml"]
        [source]
        exclude = ["data/"]
        roots = ["lib"]
        [execution]
        workers = 3
        seed = 7
        start = "spawn"
        resources = { tpu = 1, licence = 0.5 }
        """
    )
    found = settings.load(tmp_path)
    assert found.project.pipelines == ["flow:main", "other.yaml"]
    assert (found.source.exclude, found.source.roots) == (["data/"], ["lib"])
    assert (found.execution.workers, found.execution.seed, found.execution.start) == (3, 7, "spawn")
    assert found.execution.resources == {"tpu": 1.0, "licence": 0.5}


def test_what_is_not_said_has_a_default(project: Path) -> None:
    found = settings.load(project)
    assert (found.project.name, found.project.pipelines) == ("demo", [])
    assert (found.execution.workers, found.execution.start) == (None, "zygote")


@pytest.mark.parametrize(
    ("text", "where", "what", "hint"),
    [
        ("[project]\nnmae = 'x'\n", "mainspring.toml", "unknown name project.nmae", "'name'"),
        (PROJECT + "[sourc]\n", "mainspring.toml", "unknown name sourc", "'source'"),
        (PROJECT + "[execution]\nzzz = 1\n", "mainspring.toml", "unknown name execution.zzz",
         "there is workers, resources, seed, start"),
        ("", "mainspring.toml", "the table [project] is missing", "[project]"),
        ("[project\n", "mainspring.toml", "not valid TOML", ""),
        ("[project]\n", "mainspring.toml: project", "missing required field `name`", ""),
        ("[project]\nname = 3\n", "mainspring.toml: project.name", "expected `str`, got `int`", ""),
        ("project = 3\n", "mainspring.toml: project", "expected `object`, got `int`", ""),
        (PROJECT + "[execution]\nworkers = 0\n", "mainspring.toml: execution.workers",
         "must be at least 1", ""),
        (PROJECT + "[execution]\nworkers = 'many'\n", "mainspring.toml: execution.workers",
         "expected `int | null`", ""),
        (PROJECT + "[execution]\nstart = 'fork'\n", "mainspring.toml: execution.start",
         "invalid enum value 'fork'", ""),
        (PROJECT + "[execution.resources]\ntpu = 'x'\n", "mainspring.toml: execution.resources",
         "expected `float`", ""),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, text: str, where: str, what: str, hint: str
) -> None:
    error = wrong(tmp_path, text)
    assert what in error.what
    assert (error.where or "").startswith(where)
    assert hint in (error.hint or "")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / settings.FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(ProjectError, match="not UTF-8"):
        settings.load(tmp_path)


def test_in_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.mainspring.project]\nname = "inside"\n')
    assert settings.find_root(tmp_path / "a") == tmp_path
    assert settings.load(tmp_path).project.name == "inside"
    error = wrong(tmp_path, "[tool.mainspring.project]\nnmae = 1\n", "pyproject.toml")
    assert error.where == "pyproject.toml"


def test_a_file_of_its_own_comes_first(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.mainspring.project]\nname = "inside"\n')
    (tmp_path / settings.FILE).write_text(PROJECT)
    assert settings.load(tmp_path).project.name == "demo"


def test_the_nearest_root_counts(project: Path) -> None:
    inner = project / "a" / "inner"
    (inner / "b").mkdir(parents=True)
    (inner / settings.FILE).write_text(PROJECT)
    assert settings.find_root(inner / "b") == inner
    assert settings.find_root(project / "a") == project


@pytest.mark.parametrize("text", ["[tool.other]\n", "not toml [", "[build-system]\n"])
def test_any_other_pyproject_is_no_root(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ProjectError) as caught:
        settings.find_root(tmp_path)
    assert "mainspring init" in (caught.value.hint or "")


def test_home(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAINSPRING_HOME", raising=False)
    assert settings.home_of(project) == project / ".mainspring"
    monkeypatch.setenv("MAINSPRING_HOME", "elsewhere")
    assert settings.home_of(project) == Path.cwd() / "elsewhere"


def test_the_environment_says_where_records_and_values_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = settings.Settings(
        project=settings.ProjectTable(name="demo"),
        storage=settings.StorageTable(store="postgresql://one/db", blobs="s3://one"),
    )
    assert settings.storage_of(written) == written.storage
    monkeypatch.setenv("MAINSPRING_STORE", "postgresql://two/db")
    monkeypatch.setenv("MAINSPRING_BLOBS", "s3://two")
    chosen = settings.storage_of(written)
    assert (chosen.store, chosen.blobs) == ("postgresql://two/db", "s3://two")
