"""What is installed, read from its metadata: names, versions, and content where they say little."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mainspring.records.source import Inventory
from mainspring.storage.installed import normalised, requirements, take_inventory


def install(
    site: Path,
    name: str,
    version: str = "1.0",
    files: tuple[str, ...] = (),
    *,
    requires: tuple[str, ...] = (),
    origin: object = None,
    record: str | None = None,
) -> None:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {each}" for each in requires]
    (info / "METADATA").write_text("\n".join(lines))
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text("x = 1")
    listed = "".join(f"{file},sha256=x,1\n" for file in files) if record is None else record
    (info / "RECORD").write_text(listed)
    if origin is not None:
        (info / "direct_url.json").write_text(json.dumps(origin))


def take(*sites: Path, project: str = "") -> Inventory:
    return take_inventory([str(site) for site in sites], project)[0]


def test_import_names_come_from_the_record(tmp_path: Path) -> None:
    install(tmp_path, "Py_YAML", "6.0", ("yaml/__init__.py", "_yaml/__init__.py", "single.py",
            "fast.cpython-311-x86_64-linux-gnu.so", "not-a-name/x.py", "data.txt"))  # fmt: skip
    found = take(tmp_path)
    assert found.distributions["py-yaml"].version == "6.0"
    assert sorted(found.provides) == ["_yaml", "fast", "single", "yaml"]
    assert set(found.provides.values()) == {("py-yaml",)}


def test_a_name_that_two_distributions_share(tmp_path: Path) -> None:
    install(tmp_path, "google-b", "2", ("google/b.py",))
    install(tmp_path, "google-a", "1", ("google/a.py",))
    assert take(tmp_path).provides["google"] == ("google-a", "google-b")


def test_the_first_on_the_path_counts(tmp_path: Path) -> None:
    install(tmp_path / "one", "thing", "2", ("thing.py",))
    install(tmp_path / "two", "thing", "1", ("thing.py",))
    assert take(tmp_path / "one", tmp_path / "two").distributions["thing"].version == "2"
    assert take(tmp_path / "two", tmp_path / "one").distributions["thing"].version == "1"


def test_loose_modules_are_digested(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = 1")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "a.py").write_text("x = 1")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("no code")
    first = take(tmp_path)
    assert sorted(first.provides) == ["mine", "pack"]
    closure = first.closure(["mine"])
    assert list(closure) == ["mine (no distribution)"]
    (tmp_path / "mine.py").write_text("x = 2")
    second = take(tmp_path)
    assert second.closure(["mine"]) != closure
    assert second.closure(["pack"]) == first.closure(["pack"])


def test_what_lies_in_the_project_is_in_its_snapshot(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "mine.py").write_text("x = 1")
    assert take(tmp_path / "project", project=str(tmp_path / "project")).provides == {}
    assert "mine" in take(tmp_path / "project", project=str(tmp_path / "other")).provides


@pytest.mark.parametrize("origin", [{"url": "git+x", "vcs_info": {"commit_id": "1"}}, {"url": "x"}])
def test_an_install_from_elsewhere_has_a_content(tmp_path: Path, origin: object) -> None:
    install(tmp_path / "a", "thing", "1", ("thing.py",), origin=origin)
    install(tmp_path / "b", "thing", "1", ("thing.py",), origin=origin,
            record="thing.py,sha256=other,1\n")  # fmt: skip
    install(tmp_path / "c", "thing", "1", ("thing.py",))
    versions = [take(tmp_path / n).closure(["thing"])["thing"] for n in "abc"]
    assert versions[2] == "1"
    assert versions[0].startswith("1+")
    assert len(set(versions)) == 3


def test_an_editable_install_is_what_its_folder_holds(tmp_path: Path) -> None:
    source = tmp_path / "work" / "src"
    source.mkdir(parents=True)
    (source / "tool.py").write_text("x = 1")
    origin = {"url": f"file://{tmp_path}/work", "dir_info": {"editable": True}}
    install(tmp_path / "site", "tool", "1", record="tool.pth,,\n", origin=origin)
    first = take(tmp_path / "site").closure(["tool"])
    (source / "tool.py").write_text("x = 2")
    second = take(tmp_path / "site").closure(["tool"])
    assert first.keys() == second.keys() == {"tool"}
    assert first != second
    here = take(tmp_path / "site", project=str(tmp_path))
    assert here.closure(["tool"]) == {"tool": "1"}


def test_broken_metadata_is_no_crash(tmp_path: Path) -> None:
    install(tmp_path, "odd", "1", ("odd.py",))
    (tmp_path / "odd-1.dist-info" / "direct_url.json").write_text("not json")
    (tmp_path / "none-1.dist-info").mkdir()
    (tmp_path / "empty-1.dist-info").mkdir()
    (tmp_path / "empty-1.dist-info" / "METADATA").write_text("")
    found = take(tmp_path, tmp_path / "nowhere")
    assert list(found.distributions) == ["odd"]


def test_everything_that_was_read_is_watched(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = 1")
    _, watched = take_inventory([str(tmp_path)], "")
    assert str(tmp_path / "mine.py") in watched


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["numpy>=2", "Foo_Bar [x] (>1) ; python_version > '3'"], {"numpy", "foo-bar"}),
        (["x; extra == 'fast' or extra == 'dev'"], {"x"}),
        (["x; extra == 'dev' or extra == 'test'"], set()),
        (["", "  ", "(broken"], set()),
    ],
)
def test_requirements_that_may_be_used(texts: list[str], names: set[str]) -> None:
    assert requirements(texts) == names


@pytest.mark.parametrize("name", ["Foo.Bar", "foo--bar", "FOO_-bar"])
def test_one_name_however_it_is_written(name: str) -> None:
    assert normalised(name) == "foo-bar"
