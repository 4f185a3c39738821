from __future__ import annotations

from mainspring.cli.tree import Entry, fold, status_of


def drawn(*paths: str, groups: bool = False, **status: str) -> list[str]:
    entries = [
        Entry(path, "step", status.get(path.rpartition("/")[2], "succeeded")) for path in paths
    ]
    return ["  " * row.depth + row.label for row in fold(entries, groups=groups)]


def test_groups_nest() -> None:
    assert drawn("prep/in/clean", "prep/x", "y") == ["prep/", "  in/", "    clean", "  x", "y"]


def test_settled_groups_fold_when_asked() -> None:
    assert drawn("prep/clean", "y", groups=True) == ["prep/", "y"]
    assert drawn("prep/clean", groups=True, clean="running") == ["prep/", "  clean"]
    assert drawn("prep/clean", groups=True, clean="failed") == ["prep/", "  clean"]


def test_settled_rounds_always_fold() -> None:
    found = drawn("tune", "tune#1/a", "tune#1/b", "tune#2/c", c="running", tune="open")
    assert found == ["tune", "  round 1", "  round 2", "    c"]


def test_status_of_a_group() -> None:
    assert status_of(["succeeded", "reused"]) == "succeeded"
    assert status_of(["reused", "reused"]) == "reused"
    assert status_of(["succeeded", "running"]) == "running"
    assert status_of(["running", "failed"]) == "failed"
    assert status_of(["succeeded", "pending"]) == "pending"
