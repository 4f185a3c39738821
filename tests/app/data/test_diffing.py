"""Two versions are compared by files, columns, labels and rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.app.data.adding import Wanted, add_path
from mainspring.app.data.diffing import diff
from mainspring.app.project import Project
from mainspring.records.datasets import DatasetVersion


@pytest.fixture
def opened(project: Path) -> Project:
    return Project(project)


def add(project: Project, root: Path, **more: object) -> DatasetVersion:
    return add_path(project, Wanted(name="d", **more), root).version  # type: ignore[arg-type]


def test_files(opened: Project, tmp_path: Path) -> None:
    root = tmp_path / "d"
    (root / "sub").mkdir(parents=True)
    for name in ("a", "b", "moved", "sub/gone", "z"):
        (root / name).write_text(name)
    one = add(opened, root)
    (root / "b").write_text("changed")
    (root / "moved").rename(root / "sub" / "here")
    (root / "sub" / "gone").unlink()
    (root / "new").write_text("new")
    two = add(opened, root)
    view = diff(opened, one, two)
    assert [(change.how, change.path, change.origin) for change in view.files] == [
        ("changed", "b", None),
        ("added", "new", None),
        ("removed", "sub/gone", None),
        ("renamed", "sub/here", "moved"),
    ]
    assert view.counts == {"changed": 1, "added": 1, "removed": 1, "renamed": 1}
    assert (view.rows, view.columns, view.labels) == ([], [], [])
    back = diff(opened, two, one)
    assert {change.how for change in back.files} == {"changed", "removed", "added", "renamed"}
    assert diff(opened, one, one).files == []


def test_rows_columns_and_labels(opened: Project, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("n,label\n1,a\n1,a\n2,b\n3,\n")
    one = add(opened, table, label="label")
    table.write_text("n,label,more\n1,a,\n2,b,\n3,a,x\n")
    two = add(opened, table)
    view = diff(opened, one, two)
    assert {(row.column, row.statistic) for row in view.columns} >= {
        ("more", "column"), ("n", "mean"), ("label", "missing"),
    }  # fmt: skip
    assert [(label.label, label.before, label.after) for label in view.labels] == []
    [rows] = view.rows
    assert (rows.added, rows.removed) == (3, 4)  # each row has one more column
    table.write_text("n,label,more\n1,a,\n2,c,\n3,a,x\n3,a,x\n")
    view = diff(opened, two, add(opened, table))
    [rows] = view.rows
    assert rows.removed_rows == [{"n": "2", "label": "b", "more": None}]
    assert rows.added_rows == [
        {"n": "2", "label": "c", "more": None}, {"n": "3", "label": "a", "more": "x"},
    ]  # fmt: skip
    assert [(label.label, label.before, label.after) for label in view.labels] == [
        ("a", 2, 3), ("b", 1, 0), ("c", 0, 1),
    ]  # fmt: skip


def test_a_single_file_of_another_name(opened: Project, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("a\n1\n")
    (tmp_path / "two.csv").write_text("a\n2\n")
    view = diff(opened, add(opened, tmp_path / "one.csv"), add(opened, tmp_path / "two.csv"))
    assert view.counts == {"changed": 1}
    assert view.rows[0].added_rows == [{"a": "2"}]


def test_what_cannot_be_compared_is_said(opened: Project, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a\n1\n")
    one = add(opened, table)
    table.write_bytes(b"\xff")
    view = diff(opened, one, add(opened, table))
    assert view.rows == []
    assert view.skipped[0].startswith("t.csv: is not readable")
