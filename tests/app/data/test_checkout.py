"""A version's files come back, complete or not at all, and nothing else is lost for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mainspring.app.data.adding import Wanted, add_path
from mainspring.app.data.checkout import checkout
from mainspring.app.project import Project
from mainspring.records.datasets import DatasetVersion
from mainspring.records.errors import ConflictError, MainspringError, NotFoundError
from mainspring.storage.folders.content import Content


@pytest.fixture
def opened(project: Path) -> Project:
    return Project(project)


def add(project: Project, root: Path, keep: str = "copy", **files: str) -> DatasetVersion:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return add_path(project, Wanted(name="letters", keep=keep), root).version


def tree(root: Path) -> dict[str, str | None]:
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_text()
        for path in sorted(root.rglob("*"))
    }


@pytest.mark.parametrize("keep", ["copy", "reference"])
@pytest.mark.parametrize("link", [False, True])
def test_what_was_added_comes_back(opened: Project, tmp_path: Path, keep: str, link: bool) -> None:
    data = tmp_path / "data"
    (data / "empty" / "inner").mkdir(parents=True)
    (data / "run").parent.mkdir(exist_ok=True)
    (data / "run").write_text("#!")
    os.chmod(data / "run", 0o755)
    version = add(opened, data, keep, a__1="one", a__b__2="two", b="x" * 2_000_000)
    assert checkout(opened, version, tmp_path / "out", link=link)
    assert tree(tmp_path / "out") == tree(data)
    assert os.access(tmp_path / "out" / "run", os.X_OK)
    linked = (tmp_path / "out" / "b").stat()
    assert (linked.st_nlink > 1) is (link and keep == "copy")
    assert os.listdir(tmp_path / "out" / "empty") == ["inner"]
    assert not checkout(opened, version, tmp_path / "out")


def test_only_versions_are_overwritten(opened: Project, tmp_path: Path) -> None:
    one = add(opened, tmp_path / "data", a="1")
    two = add(opened, tmp_path / "data", a="2", b="3")
    out = tmp_path / "out"
    checkout(opened, one, out)
    checkout(opened, two, out)
    assert tree(out) == {"a": "2", "b": "3"}
    (out / "b").write_text("mine")
    with pytest.raises(ConflictError, match="no version of letters"):
        checkout(opened, one, out)
    assert tree(out) == {"a": "2", "b": "mine"}
    checkout(opened, one, out, force=True)
    assert tree(out) == {"a": "1"}
    for name in ("file", "link"):
        place = tmp_path / name
        if name == "file":
            place.write_text("1")
        else:
            place.symlink_to(tmp_path / "data")
            (tmp_path / "data" / "c").write_text("c")
        with pytest.raises(ConflictError):
            checkout(opened, one, place)
        checkout(opened, one, place, force=True)
        assert tree(place) == {"a": "1"}
    assert (tmp_path / "data" / "c").exists()
    (tmp_path / "empty").mkdir()
    checkout(opened, one, tmp_path / "empty")
    assert tree(tmp_path / "empty") == {"a": "1"}


def test_a_version_that_is_one_file(opened: Project, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a\n")
    version = add_path(opened, Wanted(name="letters"), tmp_path / "data.csv").version
    checkout(opened, version, tmp_path / "any.csv")
    assert (tmp_path / "any.csv").read_text() == "a\n"
    assert not checkout(opened, version, tmp_path / "any.csv")
    (tmp_path / "any.csv").write_text("b\n")
    with pytest.raises(ConflictError):
        checkout(opened, version, tmp_path / "any.csv")


def test_damage_leaves_what_was_there(opened: Project, tmp_path: Path) -> None:
    one = add(opened, tmp_path / "data", a="1", z="26")
    two = add(opened, tmp_path / "data", a="2")
    checkout(opened, two, tmp_path / "out")
    entry = next(Content(one.ref, opened.blobs).files())
    opened.blobs.path(entry.digest).unlink()
    with pytest.raises(MainspringError, match="missing"):
        checkout(opened, one, tmp_path / "out")
    assert tree(tmp_path / "out") == {"a": "2", "z": "26"}
    with pytest.raises(MainspringError, match="missing"):
        checkout(opened, one, tmp_path / "other")
    assert sorted(os.listdir(tmp_path)) == ["data", "demo", "out"]
    with pytest.raises(NotFoundError, match="no directory"):
        checkout(opened, two, tmp_path / "not" / "there")


def test_a_manifest_cannot_lead_outside(opened: Project, tmp_path: Path) -> None:
    bad = b'{"empty":[],"files":[{"digest":"%s","name":"../evil","size":1}],"name":"x"}'
    digest, _ = opened.blobs.put(b"1")
    manifest, size = opened.blobs.put(bad % digest.encode())
    version = add(opened, tmp_path / "data", a="1")
    evil = DatasetVersion(
        dataset="letters", digest=manifest, created=1.0, files=1, size=1,
        ref=type(version.ref)(digest=manifest, size=size, format="directory"),
    )  # fmt: skip
    with pytest.raises(MainspringError, match="unsafe path"):
        checkout(opened, evil, tmp_path / "out")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("force", [False, True])
def test_the_projects_own_home_is_never_replaced(opened: Project, force: bool) -> None:
    version = add(opened, opened.root, note="x")
    version = add(opened, opened.root, note="y")
    for place in (opened.root, opened.home, opened.root.parent):
        with pytest.raises(ConflictError, match="holds the project's own home"):
            checkout(opened, version, place, force=force)
    assert opened.store.read.dataset_version("letters").number == version.number
