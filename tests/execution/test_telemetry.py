"""Logging from a step: what is accepted, where it goes, and that nothing is lost."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mainspring.execution import telemetry
from mainspring.execution.attempt_files import AttemptFiles
from mainspring.records.errors import MainspringError
from mainspring.storage.blobs import LocalBlobs

CONTEXT = telemetry.Context(attempt="a", run="r", task="train", seed=7)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[AttemptFiles]:
    files = AttemptFiles(tmp_path, "a")
    files.create()
    telemetry.open_channel(CONTEXT, files, LocalBlobs(tmp_path / "blobs"))
    yield files
    telemetry.close_channel()


def points(files: AttemptFiles) -> list[list[object]]:
    return [json.loads(line) for line in Path(files.metrics).read_text("utf-8").splitlines()]


def test_points(files: AttemptFiles) -> None:
    telemetry.log(loss=0.5, step=3)
    telemetry.log({"loss": np.float32(0.25), 'odd "name"\n': 2}, step=4, accuracy=True)
    assert [point[:3] for point in points(files)] == [
        ["loss", 0.5, 3.0],
        ["loss", 0.25, 4.0],
        ['odd "name"\n', 2.0, 4.0],
        ["accuracy", 1.0, 4.0],
    ]
    assert all(isinstance(point[3], float) for point in points(files))


@pytest.mark.parametrize(("value", "text"), [("nan", "nan"), ("inf", "inf"), ("-inf", "-inf")])
def test_numbers_that_json_lacks(files: AttemptFiles, value: str, text: str) -> None:
    telemetry.log(x=float(value))
    assert points(files)[0][1] == text


@pytest.mark.parametrize("value", ["many", None, [1, 2], np.ones(3), object()])
def test_what_is_no_number_is_refused(files: AttemptFiles, value: object) -> None:
    with pytest.raises(MainspringError, match="x is not a number"):
        telemetry.log(x=value)
    assert not os.path.exists(files.metrics)


def test_outside_a_worker_it_checks_and_keeps_nothing(tmp_path: Path) -> None:
    assert telemetry.context() is None
    telemetry.log(loss=0.5)
    with pytest.raises(MainspringError):
        telemetry.log(loss="low")
    telemetry.figure("plot", b"\x89PNG....")
    telemetry.table("rows", [{"a": 1}])
    assert list(tmp_path.iterdir()) == []


def test_threads_and_forks_share_the_file(files: AttemptFiles) -> None:
    def many(name: str) -> None:
        for number in range(500):
            telemetry.log({name: number})

    threads = [threading.Thread(target=many, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pid = os.fork()
    if pid == 0:
        many("child")
        os._exit(0)
    many("parent")
    os.waitpid(pid, 0)
    found = points(files)
    assert len(found) == 6 * 500
    for name in ("t0", "t1", "t2", "t3", "child", "parent"):
        assert [point[1] for point in found if point[0] == name] == list(range(500))


def test_figures_and_tables(files: AttemptFiles, tmp_path: Path) -> None:
    picture = tmp_path / "curve.svg"
    picture.write_text("<svg/>")
    telemetry.figure("curve", picture, step=2)
    telemetry.figure("dots", b"\x89PNG\r\n")
    telemetry.table("one", [{"a": 1, "b": np.int64(2)}, {"a": 3}])
    telemetry.table("two", {"a": [1, 3]})
    lines = [json.loads(line) for line in Path(files.media).read_text("utf-8").splitlines()]
    assert [[*line[:2], line[4], line[5]] for line in lines] == [
        ["figure", "curve", "image/svg+xml", 2.0],
        ["figure", "dots", "image/png", None],
        ["table", "one", "application/json", None],
        ["table", "two", "application/json", None],
    ]
    blobs = LocalBlobs(tmp_path / "blobs")
    assert blobs.read(lines[0][2]) == b"<svg/>"
    assert json.loads(blobs.read(lines[2][2])) == {
        "columns": ["a", "b"],
        "rows": [[1, 2], [3, None]],
    }


@pytest.mark.parametrize("content", [3, "", [1, 2], {"a": [1], "b": [1, 2]}])
def test_what_is_no_table_is_refused(content: object) -> None:
    with pytest.raises(MainspringError, match="table"):
        telemetry.table("t", content)


def test_a_data_frame_is_a_table(files: AttemptFiles, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    telemetry.table("frame", pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    line = json.loads(Path(files.media).read_text("utf-8"))
    stored = json.loads(LocalBlobs(tmp_path / "blobs").read(line[2]))
    assert stored == {"columns": ["a", "b"], "rows": [[1, "x"], [2, "y"]]}


def test_the_generator_is_the_tasks_own(files: AttemptFiles) -> None:
    assert files.directory.endswith("/a")
    expected = np.random.Generator(np.random.PCG64(7)).random(3)
    assert telemetry.rng().random(3).tolist() == expected.tolist()
    assert telemetry.rng() is telemetry.rng()


def test_the_scratch_directory(files: AttemptFiles) -> None:
    assert not os.path.exists(files.work)
    assert telemetry.workdir() == Path(files.work)
    assert telemetry.workdir().is_dir()
