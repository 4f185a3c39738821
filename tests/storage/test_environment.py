"""The inventory of what is installed: complete, pure to query, quick when nothing changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.records.source import Distribution, Inventory
from mainspring.storage import environment
from mainspring.storage.environment import inventory, platform_key
from mainspring.storage.installed import normalised, requirements


class Site:
    """A directory of installed distributions, alone on `sys.path`."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.cache = cache

    def write(self, path: str, text: str = "") -> Path:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place

    def install(
        self,
        name: str,
        version: str = "1.0",
        *,
        requires: tuple[str, ...] = (),
        files: tuple[str, ...] = (),
        origin: object = None,
        top_level: str = "",
    ) -> None:
        info = f"{name}-{version}.dist-info"
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Dist: {each}" for each in requires]
        self.write(f"{info}/METADATA", "\n".join(lines))
        for file in files:
            self.write(file)
        listed = [*files, f"{info}/METADATA", f"{info}/RECORD", "../../../bin/tool"]
        self.write(f"{info}/RECORD", "".join(f"{file},sha256=x,1\n" for file in listed))
        if origin is not None:
            self.write(f"{info}/direct_url.json", json.dumps(origin))
        if top_level:
            self.write(f"{info}/top_level.txt", top_level)

    def take(self, **options: Path) -> Inventory:
        return inventory(self.cache, **options)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(folder)])
    return Site(folder, tmp_path / "project" / ".mainspring" / "cache")


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files need not be old to be trusted."""
    monkeypatch.setattr(environment, "SETTLED", -(1 << 62))


def test_closure_follows_requirements(site: Site):
    site.install("Foo_Bar", "1.2", requires=("baz>=1 ; python_version > '3'",), files=("foo/a.py",))
    site.install("baz", "3", requires=("deep [x] (>2)", "absent"), files=("baz.py",))
    site.install("deep", "4", requires=("foo.bar",), files=("deep/__init__.py",))
    site.install("other", "5", files=("other.py",))
    found = site.take()
    assert found.closure(["foo"]) == {"baz": "3", "deep": "4", "foo-bar": "1.2"}
    assert found.closure(["other", "not_installed"]) == {"other": "5"}
    assert found.closure([]) == {}


def test_a_name_may_come_from_several(site: Site):
    site.install("cloud-a", files=("cloud/a.py",))
    site.install("cloud-b", files=("cloud/b.py", "_fast.cpython-311-x86_64-linux-gnu.so"))
    found = site.take()
    assert set(found.closure(["cloud"])) == {"cloud-a", "cloud-b"}
    assert set(found.closure(["_fast"])) == {"cloud-b"}


def test_names_without_a_record(site: Site):
    site.install("old", top_level="old_name\n_old")
    assert site.take().closure(["_old"]) == {"old": "1.0"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("numexpr>=2; extra == 'performance'", {"numexpr"}),
        ("pytest; extra == 'test'", set()),
        ("pytest; extra == 'all'", set()),
        ("sphinx ; python_version > '3' and extra == \"Docs\"", set()),
        ("Zope.Interface", {"zope-interface"}),
        ("x @ file:///x", {"x"}),
        ("mainspring", set()),
    ],
)
def test_requirements(text: str, names: set[str]):
    assert requirements([text]) == names


def test_names_are_compared_normalised():
    assert normalised("Foo__Bar.baz-1") == "foo-bar-baz-1"


def test_mainspring_itself_is_left_out(site: Site):
    site.install("mainspring", requires=("rich",), files=("mainspring/__init__.py",))
    site.install("rich", files=("rich/__init__.py",))
    assert site.take().closure(["mainspring"]) == {}


def test_install_from_a_directory_or_repository_has_a_content(site: Site):
    origin = {"url": "https://example.org/x.git", "vcs_info": {"vcs": "git", "commit_id": "1"}}
    site.install("a", origin=origin, files=("a.py",))
    before = site.take().closure(["a"])
    assert before["a"].startswith("1.0+")
    origin["vcs_info"] = {"vcs": "git", "commit_id": "2"}
    site.install("a", origin=origin, files=("a.py",))
    assert site.take().closure(["a"]) != before


def editable(site: Site, place: Path) -> None:
    origin = {"url": place.as_uri(), "dir_info": {"editable": True}}
    site.install("edit-me", origin=origin, files=("__editable__.edit_me.pth",))


@pytest.mark.usefixtures("settled")
def test_editable_install_is_digested(site: Site, tmp_path: Path):
    place = tmp_path / "work dir"
    (place / "src" / "edit_me").mkdir(parents=True)
    code = place / "src" / "edit_me" / "m.py"
    code.write_text("x = 1")
    editable(site, place)
    before = site.take().closure(["edit_me"])
    assert before["edit-me"].startswith("1.0+")
    assert site.take().closure(["edit_me"]) == before
    code.write_text("x = 2")
    after = site.take().closure(["edit_me"])
    assert after != before
    (place / "src" / "edit_me" / "new.py").write_text("")
    assert site.take().closure(["edit_me"]) not in (before, after)


def test_editable_install_of_the_project_is_in_its_snapshot(site: Site, tmp_path: Path):
    place = tmp_path / "project"
    (place / "src" / "edit_me").mkdir(parents=True)
    (place / "src" / "edit_me" / "m.py").write_text("x = 1")
    editable(site, place)
    assert site.take().closure(["edit_me"]) == {"edit-me": "1.0"}
    elsewhere = site.take(project=tmp_path / "another").closure(["edit_me"])
    assert elsewhere["edit-me"].startswith("1.0+")


@pytest.mark.usefixtures("settled")
def test_modules_of_no_distribution_are_digested(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    library = tmp_path / "library"
    (library / "tools" / "inner").mkdir(parents=True)
    (library / "tools" / "__init__.py").write_text("")
    (library / "single.py").write_text("x = 1")
    (library / "data").mkdir()
    (library / "data" / "table.csv").write_text("1")
    monkeypatch.setattr(sys, "path", [*sys.path, str(library)])
    found = site.take()
    assert "data" not in found.provides
    single, tools = found.closure(["single"]), found.closure(["tools"])
    assert list(single) == ["single (no distribution)"]
    assert site.take() == found
    (library / "single.py").write_text("x = 2")
    assert site.take().closure(["single"]) != single
    assert site.take().closure(["tools"]) == tools
    (library / "tools" / "inner" / "m.py").write_text("y = 1")
    assert site.take().closure(["tools"]) != tools


def test_what_lies_in_the_project_is_left_out(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    inside = tmp_path / "project" / "src"
    inside.mkdir(parents=True)
    (inside / "mine.py").write_text("x = 1")
    monkeypatch.setattr(sys, "path", [*sys.path, str(inside)])
    assert "mine" not in site.take().provides
    assert "mine" in site.take(project=tmp_path / "another").provides


@pytest.mark.usefixtures("settled")
def test_warm_inventory_is_the_same_until_something_is_installed(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    site.install("a", files=("a.py",))
    first = site.take()

    def fail(*_: object) -> None:
        raise AssertionError("read again")

    with monkeypatch.context() as patched:
        patched.setattr("mainspring.storage.installed.take_inventory", fail)
        assert site.take() == first
    site.install("b", files=("b.py",))
    assert set(site.take().provides) == {"a", "b"}
    site.install("b", "2.0")
    monkeypatch.setattr(sys, "path", [])
    assert site.take() == Inventory()


def test_what_was_installed_a_moment_ago_is_read_again(site: Site):
    site.install("a", files=("a.py",))
    site.take()
    assert list(site.cache.glob("environment-*")) == []


@pytest.mark.usefixtures("settled")
def test_damaged_cache_is_read_again(site: Site):
    site.install("a", files=("a.py",))
    first = site.take()
    [cache] = site.cache.glob("environment-*")
    data = bytearray(cache.read_bytes())
    data[-1] ^= 1
    cache.write_bytes(bytes(data))
    assert site.take() == first


@pytest.mark.usefixtures("settled")
def test_cache_of_another_python_is_not_used(site: Site, monkeypatch: pytest.MonkeyPatch):
    site.install("a", files=("a.py",))
    site.take()
    monkeypatch.setattr(sys, "version", "another")
    called: list[object] = []
    monkeypatch.setattr(
        "mainspring.storage.installed.take_inventory",
        lambda *args: (called.append(args), (Inventory(), []))[1],
    )
    site.take()
    assert called


def test_warm_inventory_does_not_import_metadata(tmp_path: Path):
    """The slow way is not even loaded where nothing has changed."""
    code = (
        "import sys; from pathlib import Path; from mainspring.storage import environment;"
        "environment.SETTLED = -(1 << 62);"
        f"found = environment.inventory(Path({str(tmp_path)!r}));"
        "print('importlib.metadata' in sys.modules, len(found.distributions) > 3)"
    )
    source = str(Path(environment.__file__).parents[2])
    runs = [
        subprocess.run(
            [sys.executable, "-P", "-c", f"import sys; sys.path.append({source!r}); {code}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert runs == [["True", "True"], ["False", "True"]]


def test_closure_of_this_environment():
    found = Inventory(
        distributions={"a": Distribution(name="a", version="1", content="c", requires=("a", "b"))},
        provides={"a": ("a",)},
    )
    assert found.closure(["a", "a"]) == {"a": "1+c"}


def test_platform_key():
    key = platform_key()
    assert key.startswith(sys.platform)
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in key
