from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mainspring.cli.planned import import_from
from mainspring.records.source import Manifest


def test_project_places_give_way_to_the_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "demo"
    kept = str(root / ".venv" / "lib" / "site-packages")
    outside = str(tmp_path / "other")
    monkeypatch.setattr(sys, "path", [str(root), str(root / "src"), kept, outside])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    import_from(tmp_path / "snapshot", Manifest(files=(), roots=("", "src")), root)
    snapshot = tmp_path / "snapshot"
    assert sys.path == [str(snapshot), str(snapshot / "src"), kept, outside]
    assert sys.dont_write_bytecode
