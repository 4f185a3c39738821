"""A manifest that is written in parts has the bytes of one that is written whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.records.canonical import canonical
from mainspring.records.errors import CorruptBlobError
from mainspring.storage.folders import manifest
from mainspring.storage.folders.manifest import (
    FileEntry,
    ManifestWriter,
    Tree,
    empty_folders,
    entries_of,
)
from mainspring.testing.memory import MemoryBlobs

NAMES = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1,
                max_size=4).filter(lambda name: name not in (".", ".."))  # fmt: skip
TREES = st.recursive(st.none(), lambda inner: st.dictionaries(NAMES, inner, max_size=4))


def entry(name: str) -> FileEntry:
    return FileEntry(name=name, digest="blake3:" + "0" * 64, size=len(name), executable="x" in name)


def folders(tree: dict, prefix: str = ""):
    """(path, its files' names, whether it is empty), each before those below it."""
    files = sorted(name for name, below in tree.items() if below is None)
    yield prefix, [prefix + name for name in files], not tree
    for name in sorted(f"{name}/" for name, below in tree.items() if below is not None):
        yield from folders(tree[name[:-1]], prefix + name)


@settings(max_examples=300, deadline=None)
@given(tree=st.dictionaries(NAMES, TREES, max_size=5))
def test_any_tree(tree: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    blobs, spool = MemoryBlobs(), tmp_path_factory.getbasetemp()
    found = list(folders(tree))
    writer = ManifestWriter("data", spool)
    for path, names, empty in found:
        writer.add(path, [entry(name) for name in names], empty=empty)
    digest, size = writer.store(blobs)
    whole = Tree(
        name="data",
        files=tuple(
            sorted((entry(n) for _, names, _ in found for n in names), key=lambda e: e.name)
        ),
        empty=tuple(sorted(path[:-1] for path, _, empty in found if empty and path)),
    )
    assert blobs.read(digest) == canonical(whole)
    assert (writer.files, size) == (len(whole.files), len(blobs.read(digest)))
    assert writer.size == sum(each.size for each in whole.files)
    assert tuple(entries_of(blobs.path(digest), "directory")) == whole.files
    assert empty_folders(blobs.path(digest)) == whole.empty
    writer.close()


def test_parts_are_cut_between_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{n:03}" + '},{"digest":"],"files":[' for n in range(200)]
    files = tuple(FileEntry(name=n, digest="blake3:" + "f" * 64, size=1) for n in sorted(names))
    path = tmp_path / "manifest"
    path.write_bytes(canonical(Tree(name='],"name":', files=files, empty=('],"files":[',))))
    for part in (300, 333, 1000, 1 << 20):
        monkeypatch.setattr(manifest, "PART", part)
        assert tuple(entries_of(path, "directory")) == files
        assert empty_folders(path) == ('],"files":[',)


def test_any_other_form_of_the_same_json(tmp_path: Path) -> None:
    path = tmp_path / "manifest"
    path.write_text(
        '{"name": "d", "files": [{"name": "a", "size": 1, "digest": "x"}], "empty": []}'
    )
    assert [each.name for each in entries_of(path, "directory")] == ["a"]
    assert empty_folders(path) == ()
    for damaged in (b"", b"{", b'{"empty":[],"files":[{"digest":1}],"name":"x"}', b"\xff"):
        path.write_bytes(damaged)
        with pytest.raises(CorruptBlobError):
            list(entries_of(path, "directory"))
        with pytest.raises(CorruptBlobError):
            list(entries_of(path, "file"))
