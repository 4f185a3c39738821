"""Rows, columns and labels are found once, and only where they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mainspring.app.data.adding import Wanted, add_path
from mainspring.app.data.profiling import FOLDER, Profile, profile
from mainspring.app.data.versions import profile_of
from mainspring.app.project import Project
from mainspring.records.errors import MainspringError
from mainspring.storage.folders.content import Content


@pytest.fixture
def opened(project: Path) -> Project:
    return Project(project)


def found(project: Project, root: Path, label: str | None = None) -> Profile:
    version = add_path(project, Wanted(name="d", profile=False), root).version
    assert version.profile is None
    return profile(Content(version.ref, project.blobs), label)


def test_a_table(opened: Project, tmp_path: Path) -> None:
    lines = [f"{n},{n / 2},{'' if n % 4 == 0 else 'ab'[n % 2]},name {n}" for n in range(100)]
    (tmp_path / "t.csv").write_text("\n".join(["n,half,label,name", *lines]))
    made = found(opened, tmp_path / "t.csv", "label")
    assert (made.rows, made.labelled, made.labels) == (100, 75, {"a": 25, "b": 50})
    n, half, label, name = made.columns
    assert (n.type, n.minimum, n.maximum, n.mean) == ("int", 0, 99, 49.5)
    assert n.deviation == pytest.approx(28.866, abs=0.001)
    assert half.quantiles == (2.5, 12.5, 25.0, 37.0, 47.0)
    assert (label.missing, label.categories) == (25, {"a": 25, "b": 50})
    assert (name.type, name.categories, name.mean) == ("str", None, None)
    with pytest.raises(MainspringError, match="no table has a column 'x'") as caught:
        found(opened, tmp_path / "t.csv", "x")
    assert "n, half, label, name" in (caught.value.hint or "")


def test_tables_of_one_dataset_are_one(opened: Project, tmp_path: Path) -> None:
    root = tmp_path / "d"
    root.mkdir()
    (root / "a.jsonl").write_text('{"x": 1, "y": true}\n{"x": NaN}\n'.replace("NaN", "null"))
    (root / "b.csv").write_text("x,z\n2.5,q\n")
    (root / "bad.csv").write_bytes(b"\xff")
    (root / "readme.txt").write_text("no table")
    made = found(opened, root)
    assert (made.rows, made.tables, made.labelled) == (3, 2, None)
    columns = {column.name: (column.type, column.missing) for column in made.columns}
    assert columns == {"x": ("float|int", 1), "y": ("bool", 2), "z": ("str", 2)}
    assert made.skipped[0].startswith("bad.csv: is not readable as a table")


def test_images_in_folders_of_their_class(opened: Project, tmp_path: Path) -> None:
    for name in ("rose/1.jpg", "rose/2.PNG", "tulip/1.jpg", "new.jpg"):
        (tmp_path / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / name).write_text(name)
    made = found(opened, tmp_path / "d")
    assert (made.rows, made.labelled, made.label) == (4, 3, FOLDER)
    assert made.labels == {"rose": 2, "tulip": 1}
    (tmp_path / "d" / "readme.txt").write_text("x")
    assert found(opened, tmp_path / "d").rows is None


def test_a_label_is_remembered_and_can_be_given_later(opened: Project, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b\n1,\n2,x\n")
    first = add_path(opened, Wanted(name="t"), table).version
    assert (first.rows, first.labelled) == (2, None)
    again = add_path(opened, Wanted(name="t", label="b"), table)
    assert (again.new, again.version.number, again.version.labelled) == (False, 1, 1)
    table.write_text("a,b\n1,y\n2,x\n")
    second = add_path(opened, Wanted(name="t"), table).version
    assert (second.number, second.labelled) == (2, 2)
    stored = profile_of(opened, second)
    assert stored is not None
    assert (stored["format"], stored["label"]) == ("mainspring.profile/1", "b")
    assert json.dumps(stored)
    table.write_text("a\n1\n")
    assert add_path(opened, Wanted(name="t"), table).version.labelled is None
    with pytest.raises(MainspringError, match="no table has a column"):
        add_path(opened, Wanted(name="t", label="b"), table)


def test_a_number_beyond_floats_is_no_bug(opened: Project, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"n\n{'9' * 400}\n1\n")
    [column] = found(opened, tmp_path / "t.csv").columns
    assert (column.type, column.maximum) == ("int", 1)
