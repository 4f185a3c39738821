"""What steps log reaches the store once, whoever dies between reading and committing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.execution.rig import Crash, Rig, pipeline, step

from mainspring.execution import journal as journals
from mainspring.execution import telemetry
from mainspring.execution.attempt_files import AttemptFiles
from mainspring.execution.journal import Journal
from mainspring.records.status import RunStatus
from mainspring.storage.sqlite import SqliteStore
from mainspring.testing.memory import MemoryBlobs

ATTEMPT = "r.1.1"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    store = SqliteStore(tmp_path / "store.db")
    yield Rig(store)
    store.close()


@pytest.fixture
def logging(tmp_path: Path) -> Iterator[AttemptFiles]:
    """What `log` writes in this process goes to the attempt's files."""
    files = AttemptFiles(tmp_path, ATTEMPT)
    files.create()
    context = telemetry.Context(attempt=ATTEMPT, run="r", task="a", seed=0)
    telemetry.open_channel(context, files, MemoryBlobs())
    yield files
    telemetry.close_channel()


def begin(rig: Rig, tmp_path: Path) -> Any:
    rig.add(pipeline(step("a")))
    return rig.started(journal=Journal(tmp_path / "attempts"))


def values(rig: Rig, name: str = "loss", task: str = "a") -> list[float]:
    return [point.value for point in rig.store.read.points("r", task, name)]


def test_points_arrive_while_the_step_runs_and_at_its_end(
    rig: Rig, tmp_path: Path, logging: AttemptFiles
) -> None:
    engine = begin(rig, tmp_path)
    telemetry.log(loss=0.5, step=1)
    rig.turn(engine)
    assert values(rig) == [0.5]
    telemetry.log({"loss": 0.25, "rate": 3}, step=2)
    rig.done("a")
    assert rig.turn(engine, 0.0) == {"r": RunStatus.SUCCEEDED}
    assert values(rig) == [0.5, 0.25]
    loss, rate = rig.store.read.metrics("r")
    assert (loss.last, loss.count, loss.minimum, loss.maximum, loss.step) == (0.25, 2, 0.25, 0.5, 2)
    assert (rate.task, rate.name, rate.last) == ("a", "rate", 3.0)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("ended", [False, True])
def test_points_count_once_around_a_crash(
    rig: Rig, tmp_path: Path, logging: AttemptFiles, when: str, ended: bool
) -> None:
    engine = begin(rig, tmp_path)
    telemetry.log(loss=1, step=1)
    rig.turn(engine)
    telemetry.log(loss=2, step=2)
    if ended:
        rig.done("a")
    rig.crash(engine, when)
    if not ended:
        telemetry.log(loss=3, step=3)
    later = rig.started(name="e2", journal=Journal(tmp_path / "attempts"))
    if later._runs:
        rig.finish(later)
    assert values(rig) == ([1.0, 2.0] if ended else [1.0, 2.0, 3.0])
    assert rig.store.read.metrics("r")[0].count == len(values(rig))


def test_a_retry_starts_its_own_series(rig: Rig, tmp_path: Path, logging: AttemptFiles) -> None:
    rig.add(pipeline(step("a", retries=1, retry_delay=0.0)))
    engine = rig.started(journal=Journal(tmp_path / "attempts"))
    telemetry.log(loss=9)
    rig.fail("a")
    rig.turn(engine)
    telemetry.close_channel()
    files = AttemptFiles(tmp_path, "r.1.2")
    files.create()
    context = telemetry.Context(attempt="r.1.2", run="r", task="a", seed=0)
    telemetry.open_channel(context, files, MemoryBlobs())
    telemetry.log(loss=1)
    rig.done("a")
    rig.turn(engine)
    assert values(rig) == [1.0]


def test_numbers_that_json_has_no_word_for(rig: Rig, tmp_path: Path, logging: AttemptFiles) -> None:
    engine = begin(rig, tmp_path)
    for value in (math.nan, math.inf, -math.inf, 2.0, math.nan):
        telemetry.log(loss=value)
    rig.turn(engine)
    found = values(rig)
    assert [str(value) for value in found] == ["nan", "inf", "-inf", "2.0", "nan"]
    (metric,) = rig.store.read.metrics("r")
    assert math.isnan(metric.last)
    assert (metric.minimum, metric.maximum, metric.count) == (-math.inf, math.inf, 5)


def test_a_half_written_line_is_left_for_the_next_time(rig: Rig, tmp_path: Path) -> None:
    engine = begin(rig, tmp_path)
    file = tmp_path / "attempts" / ATTEMPT / "metrics.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text('["loss",1.0,null,5.0]\n["loss",2.')
    rig.turn(engine)
    assert values(rig) == [1.0]
    with file.open("a") as more:
        more.write("0,7,6.0]\n")
    rig.turn(engine)
    assert values(rig) == [1.0, 2.0]
    assert rig.store.read.points("r", "a", "loss")[1].step == 7


@pytest.mark.parametrize(
    "line",
    [
        b'["loss",2.["loss",3.0,null,6.0]', b"\x00\xff garbage", b"{}", b"[]", b"",
        b'["loss","many",null,6.0]', b'["loss",[1],null,6.0]', b'[1,1.0,null,6.0]',
    ],
)  # fmt: skip
def test_a_damaged_line_costs_itself_and_nothing_else(
    rig: Rig, tmp_path: Path, line: bytes
) -> None:
    """The file is a step's to write; what is in it must not stop an engine."""
    engine = begin(rig, tmp_path)
    file = tmp_path / "attempts" / ATTEMPT / "metrics.jsonl"
    file.parent.mkdir(parents=True)
    good = b'["loss",%d.0,null,5.0]\n'
    file.write_bytes(good % 1 + line + b"\n" + good % 2)
    (file.parent / "media.jsonl").write_bytes(line + b"\n")
    rig.turn(engine)
    assert values(rig) == [1.0, 2.0]
    rig.done("a")
    assert rig.turn(engine) == {"r": RunStatus.SUCCEEDED}


def test_long_journals_are_read_in_parts(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "BATCH", 100)
    engine = begin(rig, tmp_path)
    file = tmp_path / "attempts" / ATTEMPT / "metrics.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("".join(f'["loss",{n}.0,{n}.0,5.0]\n' for n in range(50)))
    rig.turn(engine)
    assert values(rig) == [float(n) for n in range(50)]
    with rig.store.write() as tx:
        assert tx.points_offset(ATTEMPT) == file.stat().st_size


def test_a_line_longer_than_a_part_hides_nothing(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "BATCH", 100)
    engine = begin(rig, tmp_path)
    file = tmp_path / "attempts" / ATTEMPT / "metrics.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text(f'["{"n" * 500}",1.0,null,5.0]\n["loss",2.0,null,5.0]\n')
    rig.turn(engine)
    assert values(rig) == [2.0]


def test_figures_and_tables(rig: Rig, tmp_path: Path, logging: AttemptFiles) -> None:
    engine = begin(rig, tmp_path)
    telemetry.table("rows", [{"a": 1}])
    rig.turn(engine)
    telemetry.figure("curve", b"<svg/>", step=3)
    rig.turn(engine)
    rig.done("a")
    rig.turn(engine)
    found = [(m.task, m.kind, m.name, m.mime, m.step) for m in rig.store.read.media("r")]
    assert found == [
        ("a", "table", "rows", "application/json", None),
        ("a", "figure", "curve", "image/svg+xml", 3.0),
    ]


@pytest.mark.parametrize("when", ["before", "after"])
def test_media_count_once_around_a_crash(
    rig: Rig, tmp_path: Path, logging: AttemptFiles, when: str
) -> None:
    engine = begin(rig, tmp_path)
    telemetry.table("rows", [{"a": 1}])
    rig.crash(engine, when)
    rig.finish(rig.started(name="e2", journal=Journal(tmp_path / "attempts")))
    assert [m.name for m in rig.store.read.media("r")] == ["rows"]


def test_media_after_a_commit_that_failed(rig: Rig, tmp_path: Path, logging: AttemptFiles) -> None:
    """The same journal may be asked again by the next engine of the same process."""
    shared = Journal(tmp_path / "attempts")
    rig.add(pipeline(step("a")))
    engine = rig.started(journal=shared)
    telemetry.table("rows", [{"a": 1}])
    rig.store.crash = "before"
    with pytest.raises(Crash), rig.store.write() as tx:
        shared.ingest(tx, "r", 1, "a", ATTEMPT, 0)
    rig.store.crash = None
    rig.done("a")
    rig.turn(engine)
    assert [m.name for m in rig.store.read.media("r")] == ["rows"]
