"""The walk over a project: what is source, in which order, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mainspring.records.errors import ProjectError
from mainspring.storage.tree import entries, is_inside


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    return place


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")


def found(root: Path, *exclude: str, home: str = ".mainspring") -> list[str]:
    return sorted(entry.path for entry in entries(root, root / home, exclude))


def test_files_with_their_place_and_state(root: Path) -> None:
    write(root, "a/b.py")
    (entry,) = entries(root, root / ".mainspring")
    assert (entry.path, entry.place) == ("a/b.py", os.path.realpath(root / "a/b.py"))
    assert entry.status.st_size == 1


@pytest.mark.parametrize(
    ("glob", "kept"),
    [
        ("*.csv", ["a.py", "d/a.py", "d/e/a.py", "d/e/data/x"]),
        ("data", ["a.csv", "a.py", "d/a.py", "d/e/a.py"]),
        ("data/", ["a.csv", "a.py", "d/a.py", "d/e/a.py"]),
        ("d/e", ["a.csv", "a.py", "d/a.py"]),
        ("d/e/", ["a.csv", "a.py", "d/a.py"]),
        ("/d/e", ["a.csv", "a.py", "d/a.py"]),
        ("d/e/**", ["a.csv", "a.py", "d/a.py"]),
        ("d/*.py", ["a.csv", "a.py", "d/e/data/x"]),
        ("e/data", ["a.csv", "a.py", "d/a.py", "d/e/a.py", "d/e/data/x"]),
        ("*", []),
    ],
)
def test_what_a_glob_leaves_out(root: Path, glob: str, kept: list[str]) -> None:
    write(root, "a.py", "a.csv", "d/a.py", "d/e/a.py", "d/e/data/x")
    assert found(root, glob) == kept


def test_several_globs(root: Path) -> None:
    write(root, "a.csv", "b.txt", "c.py", "d/c.py")
    assert found(root, "*.csv", "*.txt", "d/c.py") == ["c.py"]


def test_what_never_is_source(root: Path) -> None:
    write(root, ".git/config", "a/__pycache__/x.pyc", "b.pyc", "b.pyo", ".venv/x", "my/pyvenv.cfg",
          "my/lib/x.py", "home/store.db", "node_modules/x.js", ".DS_Store", "kept.py",
          "a/home/kept.py", ".github/kept.yml")  # fmt: skip
    assert found(root, home="home") == [".github/kept.yml", "a/home/kept.py", "kept.py"]


def test_a_link_to_a_file_inside(root: Path) -> None:
    write(root, "real.py", "d/x.py")
    (root / "link.py").symlink_to("real.py")
    (root / "folder").symlink_to("d")
    (root / "nothing.py").symlink_to("gone.py")
    places = {entry.path: entry.place for entry in entries(root, root / ".mainspring")}
    assert sorted(places) == ["d/x.py", "folder/x.py", "link.py", "real.py"]
    assert places["link.py"] == places["real.py"]
    assert places["folder/x.py"] == places["d/x.py"]


def test_a_link_to_the_outside_says_where_and_what_to_do(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "outside.csv")
    (root / "data.csv").symlink_to(tmp_path / "outside.csv")
    with pytest.raises(ProjectError, match="outside of the project") as caught:
        found(root)
    assert caught.value.where == "data.csv"
    assert "exclude" in (caught.value.hint or "")
    assert found(root, "*.csv") == []


def test_a_sibling_whose_name_begins_alike_is_outside(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "project2/x.py")
    (root / "x.py").symlink_to(tmp_path / "project2/x.py")
    with pytest.raises(ProjectError, match="outside"):
        found(root)


def test_a_ring_of_links(root: Path) -> None:
    write(root, "a/x.py")
    (root / "a/up").symlink_to(root)
    with pytest.raises(ProjectError, match="a directory it lies in") as caught:
        found(root)
    assert caught.value.where == "a/up"


def test_what_lies_in_a_folder() -> None:
    assert is_inside("/a/b", ["/a"])
    assert is_inside("/a", ["/a"])
    assert not is_inside("/ab", ["/a"])
    assert not is_inside("/a", [])
    assert is_inside("/a/b/c", ["/x", "/a/b/"])
