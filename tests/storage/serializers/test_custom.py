from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest

from mainspring import stored_as
from mainspring.records.errors import SerializationError
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers import registry
from mainspring.storage.serializers.contents import ANYTHING
from mainspring.storage.serializers.registry import dump, load, preview, references

sys.path.append(str(Path(__file__).parent))
owned: Any = importlib.import_module("owned")  # as a project's module: found by its name

PRINT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import owned
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers.registry import dump
blobs = LocalBlobs(Path(sys.argv[2]))
print(*(dump(*pair, blobs).digest for pair in owned.values().values()))
"""


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


@pytest.mark.parametrize("name", owned.values())
def test_a_value_comes_back(blobs: LocalBlobs, tmp_path: Path, name: str):
    value, hint = owned.values()[name]
    ref = dump(value, hint, blobs)
    assert load(ref, blobs, workdir=tmp_path / "work") == value
    assert load(ref, blobs) == value  # no work directory is needed: what is read is a value
    assert dump(load(ref, blobs), hint, blobs) == ref
    assert ref.data_only is (name == "none")
    assert all(blobs.has(digest) for digest in references(ref, blobs))
    assert len(list(references(ref, blobs))) >= (name not in ("none", "empty"))


def test_the_bytes_are_the_same_in_other_processes(tmp_path: Path):
    found = {
        subprocess.run(
            [sys.executable, "-c", PRINT, str(Path(__file__).parent), str(tmp_path / "blobs")],
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2", "33")
    }  # fmt: skip
    assert len(found) == 1


def test_a_preview_needs_no_code_of_the_project(blobs: LocalBlobs, tmp_path: Path):
    refs = [dump(*owned.values()[name], blobs) for name in ("marked", "annotated")]
    code = (
        "import sys\nfrom pathlib import Path\nfrom mainspring.records.artifacts import ArtifactRef"
        "\nfrom mainspring.storage.blobs import LocalBlobs"
        "\nfrom mainspring.storage.serializers.registry import preview"
        "\nfor digest, size in zip(sys.argv[2::2], sys.argv[3::2]):"
        "\n    ref = ArtifactRef(digest=digest, size=int(size), format='custom')"
        "\n    print(preview(ref, LocalBlobs(Path(sys.argv[1]))))"
    )
    words = [word for ref in refs for word in (ref.digest, str(ref.size))]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "blobs"), *words],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    first, said, file, second, files, *_ = done.stdout.splitlines()
    assert first == "owned.Note, by note 1 (owned.NoteFormat)"
    assert said == "a note of 4 letters"
    assert file.startswith("value.note  11 bytes  blake3:")
    assert second == "owned.Foreign, by folder 2 (owned.FolderFormat)"
    assert files == "value/: 2 files, 2 bytes"


def test_which_code_a_value_brings(blobs: LocalBlobs):
    note = set(registry.classes(dump(owned.Note("x"), None, blobs), blobs))
    assert note == {"owned:NoteFormat", "owned:Note"}
    other = set(registry.classes(dump(*owned.values()["several"], blobs), blobs))
    assert other == {"owned:FolderFormat", "owned:Foreign", ANYTHING}


def test_the_format_is_told_from_the_annotation():
    assert registry.format_for(owned.Kept) == "custom"
    assert registry.format_for(owned.Note) == "custom"
    assert registry.format_for(list[owned.Kept]) == "list"
    assert not registry.is_json(Annotated[int, stored_as(owned.IntFormat)])


def test_it_is_refused_where_no_code_may_run(blobs: LocalBlobs):
    with pytest.raises(SerializationError, match="stored by a format of the project"):
        dump(owned.Note("x"), None, blobs, allow_pickle=False)
    ref = dump(owned.Note("x"), None, blobs)
    with pytest.raises(SerializationError, match="'note' is refused here"):
        load(ref, blobs, allow_pickle=False)


def test_what_was_saved_can_be_had_without_loading(blobs: LocalBlobs, tmp_path: Path):
    ref = dump(owned.Note("x"), None, blobs)
    assert registry.lay_out(ref, blobs, tmp_path / "work").read_text() == "\n\nx"


def refused(value: Any, hint: Any, blobs: LocalBlobs) -> str:
    with pytest.raises(SerializationError) as caught:
        load(dump(value, hint, blobs), blobs)
    return f"{caught.value}"


def test_mistakes_are_named(blobs: LocalBlobs):
    assert "returned a str, where a owned.Foreign was saved" in refused(
        owned.Foreign({}), Annotated[owned.Foreign, stored_as(owned.Wrong)], blobs
    )
    assert "'nothing' wrote nothing at the path" in refused(
        1, Annotated[int, stored_as(owned.Nothing)], blobs
    )
    assert "can't be made without arguments" in refused(
        owned.Note("x"), Annotated[owned.Note, stored_as(owned.Needy)], blobs
    )
    assert "stored_as(NoteFormat) is for the class above it" in refused(
        owned.LongNote("x"), None, blobs
    )


def test_another_version_is_refused(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch):
    ref = dump(owned.Note("x"), None, blobs)
    monkeypatch.setattr(owned.NoteFormat, "version", 2, raising=False)
    with pytest.raises(SerializationError, match=r"stored by 'note', version 1; .* version 2"):
        load(ref, blobs)


def test_a_class_that_is_no_format_is_not_called(blobs: LocalBlobs):
    manifest = blobs.read(dump(owned.Note("x"), None, blobs).digest)
    for other in (b"os:system", b"pathlib:Path", b"nothing:There"):
        digest, size = blobs.put(manifest.replace(b"owned:NoteFormat", other))
        ref = registry.ArtifactRef(digest=digest, size=size, format="custom")
        with pytest.raises(SerializationError, match=r"but it is none|is not there any more"):
            load(ref, blobs)


def test_a_manifest_that_is_damaged_is_refused(blobs: LocalBlobs):
    manifest = blobs.read(dump(owned.Note("x"), None, blobs).digest)
    for wrong in (
        b"{}", b"", manifest[:-3],
        manifest.replace(b'"value.note"', b'"../up"'), manifest.replace(b'"file"', b'"life"'),
    ):  # fmt: skip
        digest, size = blobs.put(wrong)
        ref = registry.ArtifactRef(digest=digest, size=size, format="custom")
        with pytest.raises(SerializationError, match="can't be read"):
            load(ref, blobs)
        if b"../up" not in wrong:
            with pytest.raises(SerializationError, match="can't be read"):
                preview(ref, blobs)
