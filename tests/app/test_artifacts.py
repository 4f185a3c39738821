from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mainspring.app.artifacts import copy_out, file_name, write_to
from mainspring.app.project import Project
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import BlobError, ConflictError, MainspringError
from mainspring.storage.serializers import registry


def test_file_name() -> None:
    ref = ArtifactRef(digest="blake3:0", size=0, format="npy")
    assert file_name("train[3]", "result", ref) == "train[3].npy"
    assert file_name("prep/split", "x_test", ref) == "prep-split.x_test.npy"


@pytest.fixture
def opened(project: Path) -> Project:
    return Project(project)


def test_stored_file_and_directory_come_out_as_they_were(opened: Project, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "in").mkdir(parents=True)
    (tree / "in" / "a.txt").write_text("a")
    file = registry.dump(tree / "in" / "a.txt", None, opened.blobs)
    whole = registry.dump(tree, None, opened.blobs)
    assert copy_out(opened, file, tmp_path / "b.txt").read_text() == "a"
    assert (copy_out(opened, whole, tmp_path / "copy") / "in" / "a.txt").read_text() == "a"
    with pytest.raises(ConflictError):
        copy_out(opened, whole, tmp_path / "copy")
    copy_out(opened, file, tmp_path / "copy", force=True)
    assert (tmp_path / "copy").read_text() == "a"


def test_list_of_packed_values(opened: Project, tmp_path: Path) -> None:
    ref = registry.dump([np.arange(2), np.arange(3)], None, opened.blobs)
    made = copy_out(opened, ref, tmp_path / "out")
    lengths = {path.name: len(np.load(path)) for path in made.iterdir()}
    assert lengths == {"0.npy": 2, "1.npy": 3}
    with (tmp_path / "stream").open("wb") as stream, pytest.raises(MainspringError, match="-o"):
        write_to(opened, ref, stream)


def test_a_copy_can_be_changed_without_harm(opened: Project, tmp_path: Path) -> None:
    ref = registry.dump("text", None, opened.blobs)
    copy_out(opened, ref, tmp_path / "copy").write_text("changed")
    assert opened.blobs.read(ref.digest) == b"text"


def test_nothing_is_left_when_it_fails(opened: Project, tmp_path: Path) -> None:
    gone = ArtifactRef(digest=f"blake3:{'0' * 64}", size=1, format="text")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(BlobError):
        copy_out(opened, gone, tmp_path / "copy")
    assert sorted(tmp_path.iterdir()) == before
