from __future__ import annotations

from pathlib import Path

from mainspring.app.doctor import examine
from mainspring.app.project import Project


def status_of(root: Path, name: str, *, deep: bool = False) -> str:
    opened = Project(root)
    found = examine(lambda: opened, deep=deep)
    opened.close()
    return next(check.status for check in found.checks if check.name == name)


def test_a_new_project_is_well(project: Path) -> None:
    for name in ("python", "store", "home", "locks", "engines", "blobs"):
        assert status_of(project, name) == "ok", name


def test_damage_is_found_by_reading(project: Path) -> None:
    opened = Project(project)
    digest, _ = opened.blobs.put(b"content")
    opened.close()
    place = project / ".mainspring" / "blobs" / "blake3" / digest[7:9] / digest[9:]
    place.chmod(0o644)
    place.write_bytes(b"CONTENT")
    assert status_of(project, "blobs") == "ok"
    assert status_of(project, "blobs", deep=True) == "fail"
