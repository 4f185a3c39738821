"""The lock that is made of what is installed, for distributions laid out by hand."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

from mainspring.storage import pins

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"


def install(
    site: Path, name: str, version: str = "1.0", origin: object = None, code: str = "x = 1\n"
) -> Path:
    """Lay out a distribution as an installer does; return its RECORD."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA.format(name=name, version=version), encoding="utf-8")
    (site / f"{name}.py").write_text(code, encoding="utf-8")
    rows = [f"{name}.py,sha256={len(code)},6", f"{info.name}/METADATA,sha256=a,9"]
    if origin is not None:
        (info / "direct_url.json").write_text(json.dumps(origin), encoding="utf-8")
        rows.append(f"{info.name}/direct_url.json,sha256=b,3")
    rows += [
        f"{info.name}/INSTALLER,sha256=c,2",
        f"../../bin/{name},sha256=d,4",
        f"{info.name}/RECORD,,",
    ]
    (info / "RECORD").write_text("\n".join(rows), encoding="utf-8")
    return info / "RECORD"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    return site


def packages(made: pins.Pinned) -> dict[str, dict[str, object]]:
    return {p.pop("name"): p for p in tomllib.loads(made.text.decode()).get("packages", [])}


def test_versions_and_what_was_installed(site: Path, tmp_path: Path) -> None:
    install(site, "one")
    made = pins.pin({"one": "1.0"}, tmp_path / "project")
    found = tomllib.loads(made.text.decode())
    assert found["lock-version"] == "1.0"
    assert found["requires-python"] == "=={}.{}.*".format(*sys.version_info)
    (package,) = found["packages"]
    assert package["tool"]["mainspring"]["record"].startswith("blake3:")
    assert made.unbuildable == {}
    assert pins.differing(made.text, [site]) == []


def test_another_content_of_the_same_version_is_seen(site: Path, tmp_path: Path) -> None:
    record = install(site, "one")
    made = pins.pin({"one": "1.0"}, tmp_path / "project")
    text = record.read_text("utf-8")
    # What an installer adds, and programs, differ from machine to machine.
    record.write_text(text.replace("=c", "=other").replace("=d", "=other"), "utf-8")
    assert pins.differing(made.text, [site]) == []
    record.write_text(text.replace("=a", "=other"), "utf-8")
    assert pins.differing(made.text, [site]) == ["one"]
    assert pins.differing(made.text, [tmp_path]) == ["one"]


def test_direct_urls_without_credentials(site: Path, tmp_path: Path) -> None:
    url = "https://me:secret@example.invalid/a/one-1.0.zip?token=secret"
    install(site, "one", origin={"url": url, "archive_info": {"hashes": {"sha256": "ff"}}})
    commit = {"vcs": "git", "commit_id": "abc", "requested_revision": "main"}
    install(
        site, "two",
        origin={
            "url": "https://secret@example.invalid/r.git", "vcs_info": commit, "subdirectory": "p",
        },
    )  # fmt: skip
    install(
        site, "three",
        origin={
            "url": "file:///somewhere/w/three-1.0-py3-none-any.whl",
            "archive_info": {"hash": "sha256=ee"},
        },
    )  # fmt: skip
    made = pins.pin({"one": "1.0+x", "two": "1.0+y", "three": "1.0+z"}, tmp_path / "project")
    assert b"secret" not in made.text
    assert b"/somewhere" not in made.text
    found = packages(made)
    assert found["one"]["archive"] == {
        "url": "https://example.invalid/a/one-1.0.zip", "hashes": {"sha256": "ff"},
    }  # fmt: skip
    assert found["two"]["vcs"] == {
        "type": "git", "url": "https://example.invalid/r.git", "commit-id": "abc",
        "subdirectory": "p",
    }  # fmt: skip
    own = found["three"]["tool"]["mainspring"]  # type: ignore[index]
    assert own["archive"] == "three-1.0-py3-none-any.whl"
    assert own["archive-sha256"] == "ee"
    assert made.unbuildable == {}


def test_editable_installs_are_told_apart(site: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    own = {"url": project.as_uri(), "dir_info": {"editable": True}}
    other = {"url": (tmp_path / "other").as_uri(), "dir_info": {"editable": True}}
    copied = {"url": (tmp_path / "other").as_uri(), "dir_info": {}}
    install(site, "own", origin=own)
    install(site, "other", origin=other)
    install(site, "copied", origin=copied)
    made = pins.pin(
        {"own": "1.0", "other": "1.0+0123", "copied": "1.0+45", "loose (no distribution)": "+67"},
        project,
    )
    assert sorted(packages(made)) == ["copied", "other"]
    assert packages(made)["other"]["tool"] == {"mainspring": {"editable": True, "content": "0123"}}
    assert made.unbuildable == {
        "other": "an editable install from outside of the project",
        "copied": "it was installed from a local directory",
        "loose (no distribution)": "a module on sys.path that belongs to no distribution",
    }
    assert str(tmp_path).encode() not in made.text
    assert pins.is_own("own", project)
    assert not pins.is_own("other", project)
    assert not pins.is_own("missing", project)


def test_nothing_used_is_a_lock_too(tmp_path: Path) -> None:
    assert tomllib.loads(pins.pin({}, tmp_path).text.decode())["packages"] == []
