"""Directories are read in the order of their manifests, and what can't be kept is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mainspring.records.errors import MainspringError
from mainspring.storage.folders.walk import One, Walk


def files(walk: Walk) -> list[str]:
    return [folder.path + row[0] for folder in walk.folders() for row in folder.rows]


def make(root: Path, *names: str) -> str:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return str(root)


def test_folders_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    root = make(tmp_path, "a/x", "a-b", "a.txt", "a/b/y", "a-b.d/z", "é", "z\nz", "A")
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    folders = list(Walk(root).folders())
    assert [folder.path for folder in folders] == [
        "", "a-b.d/", "a/", "a/b/", "empty/", "empty/inner/",
    ]  # fmt: skip
    assert [row[0] for row in folders[0].rows] == ["A", "a-b", "a.txt", "z\nz", "é"]
    assert [folder.path for folder in folders if folder.empty] == ["empty/inner/"]
    assert folders[2].rows[0][1:3] == (3, os.stat(tmp_path / "a/x").st_mtime_ns)


def test_what_is_left_out(tmp_path: Path) -> None:
    root = make(tmp_path, "a.tmp", "b/c.tmp", "b/keep", "raw/1.csv", "x/raw/1.csv", "cache/deep/y")
    assert files(Walk(root, exclude=("*.tmp", "raw/*.csv", "cache"))) == ["b/keep", "x/raw/1.csv"]
    assert "raw/1.csv" not in files(Walk(root, exclude=("raw/**",)))
    assert "cache/deep/y" not in files(Walk(root, skip=str(tmp_path / "cache")))
    [left] = [f for f in Walk(root, exclude=("*.csv",)).folders() if f.path == "raw/"]
    assert left.empty


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("outside", "outside of the directory"),
        ("nothing", "a link to nothing"),
        ("directory", "a link to a directory"),
        ("pipe", "neither a file nor a directory"),
        ("bytes", "not UTF-8"),
        ("backslash", "a backslash"),
    ],
)
def test_what_cannot_be_kept_is_named(tmp_path: Path, kind: str, said: str) -> None:
    root = make(tmp_path / "root", "sub/fine")
    bad = os.fsencode(root) + b"/sub/" + (b"b\xffd" if kind == "bytes" else b"bad")
    match kind:
        case "outside":
            os.symlink(make(tmp_path, "rootless/x") + "/rootless/x", bad)
        case "nothing":
            os.symlink("missing", bad)
        case "directory":
            os.symlink("..", os.path.join(os.fsencode(root), b"sub", b"bad"))
        case "pipe":
            os.mkfifo(bad)
        case "backslash":
            bad += b"\\x"
            Path(os.fsdecode(bad)).write_text("x")
        case _:
            with open(bad, "wb"):
                pass
    if kind == "directory":
        os.unlink(bad)
        os.mkdir(os.path.join(root, "other"))
        os.symlink("../other", bad)
    with pytest.raises(MainspringError, match=said) as caught:
        list(Walk(root).folders())
    assert caught.value.where is not None
    assert caught.value.where.startswith("sub/b")


def test_a_link_to_a_file_inside_is_that_file(tmp_path: Path) -> None:
    root = make(tmp_path, "a/real", "b/other")
    (tmp_path / "b" / "link").symlink_to("../a/real")
    [folder] = [folder for folder in Walk(root).folders() if folder.path == "b/"]
    assert folder.links == {"link": str(tmp_path / "a" / "real")}
    assert [row[0] for row in folder.rows] == ["link", "other"]


def test_a_directory_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    root = make(tmp_path, "a/x")
    walk = Walk(root).folders()
    next(walk)
    os.rename(tmp_path / "a", tmp_path / "b")
    with pytest.raises(MainspringError, match="can't be read: No such file"):
        next(walk)


def test_a_single_file(tmp_path: Path) -> None:
    make(tmp_path, "data.csv")
    [folder] = One(str(tmp_path / "data.csv")).folders()
    assert (folder.path, folder.place, folder.rows[0][:2]) == ("", str(tmp_path), ("data.csv", 8))
    os.mkfifo(tmp_path / "pipe")
    for wrong in ("pipe", "missing"):
        with pytest.raises(MainspringError):
            list(One(str(tmp_path / wrong)).folders())
