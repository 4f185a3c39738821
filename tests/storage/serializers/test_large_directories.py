"""Directories of many files: the same again, in memory that does not follow their number much."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mainspring.records.errors import SerializationError
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers.registry import dump, load, preview, references

TRIP = """
import json, resource, sys
from pathlib import Path
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers.registry import dump, load
source, root = Path(sys.argv[1]), Path(sys.argv[2])
blobs = LocalBlobs(root / "blobs")
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
start = peak()
ref = dump(source, Path, blobs)
again = load(ref, blobs, workdir=root / "work")
same = dump(again, Path, blobs)
grown = peak() - start
print(json.dumps({"digest": ref.digest, "size": ref.size, "same": same == ref, "grown": grown}))
"""


def fill(root: Path, count: int) -> Path:
    for number in range(count):
        if number % 500 == 0:
            folder = root / f"{number // 500:03}"
            folder.mkdir(parents=True)
        path = root / f"{number // 500:03}" / f"{number:06} ü\n.txt"
        path.write_bytes(b"%d\n" % number)
        if number % 7 == 0:
            path.chmod(0o755)
    (root / "nothing" / "here").mkdir(parents=True)
    return root


def tree(root: Path) -> dict[str, tuple[bytes | None, bool]]:
    return {
        str(path.relative_to(root)): (None, False)
        if path.is_dir()
        else (path.read_bytes(), os.access(path, os.X_OK))
        for path in root.rglob("*")
    }


def trip(source: Path, root: Path, seed: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", TRIP, str(source), str(root)],
        env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_all_of_it_comes_back(tmp_path: Path):
    source = fill(tmp_path / "data", 2000)
    one, two = trip(source, tmp_path / "1", "1"), trip(source, tmp_path / "2", "2")
    assert one["digest"] == two["digest"]
    assert one["same"]
    assert two["same"]
    assert tree(tmp_path / "1" / "work" / "data") == tree(source)


@pytest.mark.chaos
def test_a_hundred_thousand_files(tmp_path: Path):
    source = fill(tmp_path / "data", 100_000)
    found = trip(source, tmp_path / "1", "1")
    assert found["same"]
    assert found["grown"] < 8 * found["size"]  # of the manifest: a few times, not once a file
    assert tree(tmp_path / "1" / "work" / "data") == tree(source)


def test_a_killed_save_leaves_nothing_wrong(tmp_path: Path):
    source = fill(tmp_path / "data", 2000)
    process = subprocess.Popen(
        [sys.executable, "-c", TRIP, str(source), str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    blobs = LocalBlobs(tmp_path / "blobs")
    while sum(1 for _ in blobs.all()) < 50:
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 50 <= sum(1 for _ in blobs.all()) < 2001
    blobs.sweep()
    assert not list((tmp_path / "blobs" / "tmp").iterdir())
    assert all(blobs.intact(digest) for digest, _ in blobs.all())
    ref = dump(source, Path, blobs)
    assert set(references(ref, blobs)) <= {digest for digest, _ in blobs.all()}
    assert tree(load(ref, blobs, workdir=tmp_path / "again")) == tree(source)  # type: ignore[arg-type]


class Changing(LocalBlobs):
    """A file is written to while it is being stored, by a writer that goes on."""

    def __init__(self, root: Path, change: threading.Event) -> None:
        super().__init__(root)
        self.change = change

    def put_file(self, path: Path) -> tuple[str, int]:
        found = super().put_file(path)
        if path.name == "log":
            with path.open("ab") as file:
                file.write(b"more")
            self.change.set()
        return found


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "log").write_bytes(b"first")
    changed = threading.Event()
    with pytest.raises(SerializationError, match="log changed while it was stored"):
        dump(tmp_path / "data", Path, Changing(tmp_path / "blobs", changed))
    assert changed.is_set()


def test_it_may_be_deep(tmp_path: Path):
    root = inner = tmp_path / "data"
    for _ in range(300):
        inner /= "d"
    os.makedirs(inner)
    (inner / "file").write_text("x")
    blobs = LocalBlobs(tmp_path / "blobs")
    ref = dump(root, Path, blobs)
    again = load(ref, blobs, workdir=tmp_path / "work")
    assert dump(again, Path, blobs) == ref


@pytest.mark.parametrize("kind", ["file", "empty", "root"])
def test_names_that_are_no_text_are_refused(tmp_path: Path, kind: str):
    bad = "bad-\udcff"
    root = tmp_path / (bad if kind == "root" else "data")
    (root / "x").mkdir(parents=True)
    if kind == "file":
        (root / bad).write_text("x")
    if kind == "empty":
        (root / bad).mkdir()
    with pytest.raises(SerializationError, match="is not valid UTF-8"):
        dump(root, Path, LocalBlobs(tmp_path / "blobs"))


def test_a_name_with_a_line_break_is_one_line_of_the_preview(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a\nb").write_text("x")
    blobs = LocalBlobs(tmp_path / "blobs")
    assert len(preview(dump(tmp_path / "data", Path, blobs), blobs).splitlines()) == 2
