"""Versions are found by what people write, shown and pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.app.data.adding import Wanted, add_path
from mainspring.app.data.versions import find_version, history, pin, show
from mainspring.app.project import Project
from mainspring.records.errors import MainspringError, NotFoundError


def test_versions(project: Path, tmp_path: Path) -> None:
    opened = Project(project)
    for text in ("one", "two"):
        for number in range(3):
            (tmp_path / "data").mkdir(exist_ok=True)
            (tmp_path / "data" / str(number)).write_text(f"{text}{number}")
        add_path(opened, Wanted(name="letters"), tmp_path / "data")
    assert [each.number for each in history(opened, "letters")] == [2, 1]
    one = find_version(opened, "letters@v1")
    assert find_version(opened, f"letters@{one.digest[7:20]}") == one
    for wrong in ("letters@v3", "letter", "letters@v1@v2"):
        with pytest.raises(NotFoundError):
            find_version(opened, wrong)
    with pytest.raises(MainspringError):
        history(opened, "../x")
    view = show(opened, one, 2)
    assert [file.path for file in view.listed] == ["0", "1"]
    assert (view.cut, view.profile) == (["listed"], None)
    assert show(opened, one, 3).cut == []
    assert pin(opened, "letters@v1", pinned=True).pinned
    assert find_version(opened, "letters@1").pinned
    assert not pin(opened, "letters@v1", pinned=False).pinned
