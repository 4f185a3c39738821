"""Files as no step should leave them, and manifests as no store should hold them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.e2e.place import Place, polite

from mainspring.records.errors import BlobError, SerializationError
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers import registry

COMMANDS = {
    "absolute": "ln -s /etc/passwd {outputs.o}",
    "relative": "ln -s " + "../" * 40 + "etc/passwd {outputs.o}",
    "device": "ln -s /dev/zero {outputs.o}",
    "pipe": "mkfifo {outputs.o}",
    "inner": "mkdir {outputs.o} && ln -s /etc/passwd {outputs.o}/x",
    "inner_pipe": "mkdir {outputs.o} && mkfifo {outputs.o}/x",
    "nowhere": "ln -s nowhere {outputs.o}",
    "loop": "ln -s o {outputs.o}",
    "half": "mkdir {outputs.o} && python3 -c \"open(b'o/\\xff', 'w')\"",
    "levels": "mkdir {outputs.o} && cd {outputs.o} && "
    "i=0; while [ $i -lt 600 ]; do mkdir d && cd d || exit 3; i=$((i+1)); done",
    "names": "mkdir {outputs.o} && cd {outputs.o} && touch -- -rf 'a b' ..x A a '\n' "
    "\"$(printf '\\033[31m')\" \"$(printf 'a%.0s' $(seq 255))\"",
    "backslash": "mkdir {outputs.o} && touch {outputs.o}/'a\\b'",
    "backslash_folder": "mkdir -p {outputs.o}/'a\\b'",
    "modes": "echo x > {outputs.o} && chmod 6755 {outputs.o}",
    "inside": "echo x > there && ln -s there {outputs.o}",
}
GOOD = {"names", "modes", "inside", "levels"}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("files") / "demo", more="[execution]\nworkers = 4\n")
    made = [
        f"{name} = command({text!r}, outputs={{'o': 'o'}}, shell=True, name={name!r})\n"
        for name, text in COMMANDS.items()
    ]
    readers = """
@step
def listed(o: Path) -> list[str]:
    return sorted(str(p.relative_to(o)) for p in o.rglob("*"))

@step
def mode(o: Path) -> int:
    return o.stat().st_mode & 0o7777

@pipeline
def main():
    listed(o=names())
    mode(o=modes())
"""
    calls = "".join(f"    {name}()\n" for name in COMMANDS if name not in ("names", "modes"))
    place.flow("".join(made) + readers + calls)
    done = place("run", "-q")
    assert done.code == 1, done
    assert "Traceback" not in done.err
    return place


def test_odd_outputs_are_refused_by_name(ended: Place) -> None:
    tasks = {task["path"]: task for task in ended.show().json["tasks"]}
    for name in COMMANDS:
        if name in GOOD:
            assert tasks[name]["status"] == "succeeded", tasks[name]
        else:
            assert tasks[name]["status"] == "failed", tasks[name]
            assert tasks[name]["error"]["message"], tasks[name]
    for name in ("absolute", "relative", "device"):
        assert "outside of its directory" in tasks[name]["error"]["message"], tasks[name]
    for name in ("backslash", "backslash_folder"):
        assert "backslash" in tasks[name]["error"]["message"], tasks[name]


def test_odd_names_come_back_as_they_were(ended: Place, tmp_path: Path) -> None:
    wanted = {"-rf", "a b", "..x", "A", "a", "\n", "\x1b[31m", "a" * 255}
    assert set(ended.value("listed")) == wanted
    assert ended.value("mode") == 0o755
    assert ended("artifacts", "get", "latest", "names", "-o", str(tmp_path / "got")).code == 0
    assert set(os.listdir(tmp_path / "got")) == wanted
    assert "\x1b" not in ended("artifacts", "open", "latest", "names").out


def test_an_odd_run_is_repeated_without_work(ended: Place) -> None:
    assert ended("doctor", "--deep").code == 0
    ended("run", "-q")
    tasks = {task["path"]: task["status"] for task in ended.show().json["tasks"]}
    assert {name for name, status in tasks.items() if status == "reused"} == {
        *GOOD, "listed", "mode",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/x", "a/../../x", "..", ".", "", "a//b", "a/./b", "x\0", "a/", "a/.."],
)
@pytest.mark.parametrize("where", ["files", "empty", "name"])
def test_a_manifest_never_leads_outside(tmp_path: Path, name: str, where: str) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    content, size = blobs.put(b"x")
    tree = {"name": "tree", "files": [], "empty": []}
    entry = {"name": name, "digest": content, "size": size}
    tree[where] = {"files": [entry], "empty": [name], "name": name}[where]
    digest, size = blobs.put(json.dumps(tree).encode())
    ref = registry.ArtifactRef(digest=digest, size=size, format="directory", type="pathlib.Path")
    work = tmp_path / "deep" / "work"
    with pytest.raises((SerializationError, BlobError)):
        registry.load(ref, blobs, workdir=work)
    assert set(os.listdir(tmp_path)) <= {"blobs", "deep"}
    assert not list(work.rglob("x"))


SOURCES = {
    "pipe": os.mkfifo,
    "sparse": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 10 << 30),
    "link": lambda path: os.symlink("/dev/zero", path),
    "loop": lambda path: os.symlink(path.name, path),
    "folder": lambda path: path.mkdir(),
    "nothing": lambda path: None,
}


@pytest.mark.parametrize("kind", SOURCES)
def test_what_is_no_pipeline_file(place: Place, kind: str) -> None:
    SOURCES[kind](place.root / "t.yaml")
    polite(place("plan", "t.yaml"), 2, "t.yaml")


@pytest.mark.parametrize("kind", SOURCES)
def test_what_is_no_settings_file(place: Place, kind: str) -> None:
    (place.root / "mainspring.toml").unlink()
    SOURCES[kind](place.root / "mainspring.toml")
    polite(place("plan"), 2, "mainspring.toml")
