from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.canonical import canonical
from mainspring.records.errors import SerializationError
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers.registry import dump, load, preview, references


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def tree(root: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes()
        for path in root.rglob("*")
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "a" / "empty").mkdir(parents=True)
    (root / "a" / "one.txt").write_text("1")
    (root / "b.bin").write_bytes(os.urandom(2 << 20))
    (root / "a b ü").write_bytes(b"")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    return root


@pytest.mark.parametrize("content", [b"", b"small", b"large" * (1 << 19)])
@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_a_file_comes_back_under_its_name(
    blobs: LocalBlobs, tmp_path: Path, content: bytes, mode: int
):
    path = tmp_path / "model ü.bin"
    path.write_bytes(content)
    path.chmod(mode)
    ref = dump(path, Path, blobs)
    assert (ref.format, ref.data_only) == ("file", True)
    path.unlink()
    again = load(ref, blobs, workdir=tmp_path / "work" / "input")
    assert again == tmp_path / "work" / "input" / "model ü.bin"
    assert again.read_bytes() == content
    assert os.access(again, os.X_OK) == (mode == 0o755)
    again.write_bytes(b"changed")  # it is the task's own file
    assert load(ref, blobs, workdir=tmp_path / "other").read_bytes() == content  # type: ignore[attr-defined]


def test_files_of_one_name_get_a_place_each(blobs: LocalBlobs, tmp_path: Path):
    paths = []
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        paths.append(tmp_path / str(number) / "part.csv")
        paths[-1].write_text(str(number))
    ref = dump(paths, list[Path], blobs)
    assert ref.format == "list"
    again: Any = load(ref, blobs, workdir=tmp_path / "work")
    assert [path.read_text() for path in again] == ["0", "1", "2"]
    assert {path.name for path in again} == {"part.csv"}
    assert set(references(ref, blobs)) == {blobs.put(text)[0] for text in (b"0", b"1", b"2")}
    assert load(ref, blobs, index=1, workdir=tmp_path / "w").read_text() == "1"  # type: ignore[attr-defined]


def test_a_directory_comes_back_with_empty_directories_and_modes(
    blobs: LocalBlobs, tmp_path: Path, folder: Path
):
    ref = dump(folder, Path, blobs)
    again: Any = load(ref, blobs, workdir=tmp_path / "work")
    assert again.name == "data"
    assert tree(again) == tree(folder)
    assert os.access(again / "run.sh", os.X_OK)
    assert not os.access(again / "b.bin", os.X_OK)
    assert dump(again, Path, blobs) == ref
    assert len(set(references(ref, blobs))) == 4
    assert "b.bin  2097152 bytes" in preview(ref, blobs)


def test_an_empty_directory_is_a_directory(blobs: LocalBlobs, tmp_path: Path):
    (tmp_path / "nothing").mkdir()
    again: Any = load(dump(tmp_path / "nothing", Path, blobs), blobs, workdir=tmp_path / "w")
    assert again.is_dir()
    assert tree(again) == {}


def test_the_order_of_making_does_not_show(blobs: LocalBlobs, tmp_path: Path):
    refs = []
    for number, names in enumerate(("abc", "cab")):
        root = tmp_path / str(number) / "data"
        root.mkdir(parents=True)
        for name in names:
            (root / name).write_text(name)
        refs.append(dump(root, Path, blobs))
    assert refs[0] == refs[1]


def test_symbolic_links_are_refused(blobs: LocalBlobs, folder: Path):
    (folder / "a" / "link").symlink_to("/etc/passwd")
    with pytest.raises(SerializationError, match="a/link is a symbolic link") as caught:
        dump(folder, Path, blobs)
    assert "cp -rL" in str(caught.value.hint)


def test_what_is_no_file_is_refused(blobs: LocalBlobs, tmp_path: Path, folder: Path):
    with pytest.raises(SerializationError, match="can't read"):
        dump(tmp_path / "missing", Path, blobs)
    os.mkfifo(folder / "pipe")
    with pytest.raises(SerializationError, match="not a regular file"):
        dump(folder, Path, blobs)


def test_a_name_that_is_not_utf8_is_refused(blobs: LocalBlobs, folder: Path):
    (folder / os.fsdecode(b"\xff.txt")).write_bytes(b"")
    with pytest.raises(SerializationError, match="not valid UTF-8"):
        dump(folder, Path, blobs)


def test_a_file_needs_a_place(blobs: LocalBlobs, folder: Path):
    ref = dump(folder, Path, blobs)
    with pytest.raises(SerializationError, match="needs a place"):
        load(ref, blobs)


HOSTILE = ["../x", "/etc/x", "..", ".", "", "a/../x", "a//x", "a/./x", "a\\x", "a\0x", "x/", "/"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_lead_outside_are_refused(blobs: LocalBlobs, tmp_path: Path, name: str):
    digest, size = blobs.put(b"evil")
    entry = {"name": name, "digest": digest, "size": size}
    inner = {**entry, "name": "x"}
    manifests: list[tuple[str, dict[str, Any]]] = [
        ("file", entry),
        ("directory", {"name": name, "files": [inner], "empty": []}),
        ("directory", {"name": "d", "files": [entry], "empty": []}),
        ("directory", {"name": "d", "files": [], "empty": [name]}),
    ]
    for format_name, manifest in manifests:
        data = canonical(manifest)
        ref = ArtifactRef(digest=blobs.put(data)[0], size=len(data), format=format_name)
        with pytest.raises(SerializationError, match="unsafe name"):
            load(ref, blobs, workdir=tmp_path / "work" / "deep")
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("names", [["a", "a"], ["a", "a/b"], ["a/b", "a"]])
def test_paths_used_twice_are_refused(blobs: LocalBlobs, tmp_path: Path, names: list[str]):
    digest, size = blobs.put(b"x")
    files = [{"name": name, "digest": digest, "size": size} for name in names]
    data = canonical({"name": "d", "files": files, "empty": []})
    ref = ArtifactRef(digest=blobs.put(data)[0], size=len(data), format="directory")
    with pytest.raises(SerializationError, match="used twice"):
        load(ref, blobs, workdir=tmp_path / "work")


def test_a_link_that_waits_in_the_work_directory_is_not_followed(blobs: LocalBlobs, tmp_path: Path):
    (tmp_path / "x.txt").write_text("mine")
    ref = dump(tmp_path / "x.txt", Path, blobs)
    work = tmp_path / "work"
    work.mkdir()
    (work / "x.txt").symlink_to(tmp_path / "outside")
    again = load(ref, blobs, workdir=work)
    assert again == work / "1" / "x.txt"
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"name":1,"digest":"x","size":0}'])
def test_a_damaged_manifest_is_one_clear_error(blobs: LocalBlobs, tmp_path: Path, data: bytes):
    digest, size = blobs.put(data)
    for name in ("file", "directory"):
        ref = ArtifactRef(digest=digest, size=size, format=name)
        with pytest.raises(SerializationError, match="manifest"):
            load(ref, blobs, workdir=tmp_path)
