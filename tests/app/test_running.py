from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.app.flows import pipeline, recorded, run, states, step, write

from mainspring.app.project import Project
from mainspring.app.running import (
    check_resources,
    drive,
    load_spec,
    new_run_id,
    reopen,
)
from mainspring.execution.context import Event
from mainspring.records.errors import ConflictError, DefinitionError
from mainspring.records.status import RunStatus, TaskStatus, Wish

FLOW = """
    import time
    from pathlib import Path
    from mainspring import step

    @step
    def one() -> int:
        return 1

    @step
    def two(x: int) -> int:
        return x + 1

    @step
    def fussy(x: int, place: str) -> int:
        if not Path(place).exists():
            raise FileNotFoundError(place)
        return x

    @step
    def slow(mark: str) -> int:
        Path(mark).touch()
        time.sleep(600)
        return 1
"""
SPEC = pipeline(step("one"), step("two", {"x": "${{ steps.one }}"}))


@pytest.fixture
def opened(project: Path) -> Iterator[Project]:
    write(project, FLOW)
    found = Project(project)
    yield found
    found.close()


def test_ids_sort_by_time_and_differ() -> None:
    ids = [new_run_id(at) for at in (0.0, 1.0, 86_400.0, 1_800_000_000.0)]
    assert ids == sorted(ids)
    assert all(re.fullmatch(r"\d{8}-\d{6}-[a-z2-9]{5}", each) for each in ids)
    assert len({new_run_id(5.0) for _ in range(200)}) == 200


def test_a_run_of_which_all_is_reused_has_ended_when_it_is_recorded(opened: Project) -> None:
    run(opened, SPEC)
    record = opened.store.read.run(recorded(opened, SPEC).id)
    assert record.status is RunStatus.SUCCEEDED
    assert record.started == record.ended == record.created
    task = opened.store.read.find_task(record.id, "two")
    assert (task.status, task.attempts, task.started) == (TaskStatus.REUSED, 0, None)
    assert opened.store.read.key_parts(task.id) is not None


def test_what_is_recorded_is_what_was_planned(opened: Project) -> None:
    record = recorded(opened, SPEC, force=["two"], seed=4)
    assert (record.seed, record.forced, record.wish) == (4, ("two",), Wish.RUN)
    assert load_spec(opened, record) == SPEC
    assert states(opened, record) == {"one": "ready", "two": "pending"}


def test_listeners_hear_every_move_in_order(opened: Project) -> None:
    heard: list[Event] = []
    record = recorded(opened, SPEC)
    drive(opened, [record.id], listener=heard.append)
    assert [(event.path, event.status) for event in heard] == [
        ("one", "running"), ("one", "succeeded"), ("two", "running"), ("two", "succeeded"),
        (None, "succeeded"),
    ]  # fmt: skip


def test_a_failed_run_goes_on_where_it_failed(opened: Project, tmp_path: Path) -> None:
    place = tmp_path / "there"
    spec = pipeline(
        step("one"), step("fussy", {"x": "${{ steps.one }}", "place": str(place)}, impure="ok"),
        step("two", {"x": "${{ steps.fussy }}"}),
    )  # fmt: skip
    failed = run(opened, spec)
    assert failed.status is RunStatus.FAILED
    assert states(opened, failed) == {"one": "succeeded", "fussy": "failed", "two": "blocked"}
    place.touch()
    assert reopen(opened, failed) == 2
    assert opened.store.read.run(failed.id).status is RunStatus.QUEUED
    assert drive(opened, [failed.id]) == {failed.id: RunStatus.SUCCEEDED}
    assert len(opened.store.read.attempts(opened.store.read.find_task(failed.id, "one").id)) == 1
    with pytest.raises(ConflictError) as caught:
        reopen(opened, opened.store.read.run(failed.id))
    assert caught.value.hint == f"`mainspring rerun {failed.id}` makes a new run of it"


def test_more_than_there_is(opened: Project) -> None:
    check_resources(opened, SPEC)
    with pytest.raises(DefinitionError, match="step 'one' asks for tpu=1, there is 0"):
        check_resources(opened, pipeline(step("one", resources={"tpu": 1.0}, where="flow.py:5")))


def test_ctrl_c_pauses_cleanly_and_gives_the_handlers_back(opened: Project, tmp_path: Path) -> None:
    mark, told = tmp_path / "mark", []
    record = recorded(opened, pipeline(step("slow", {"mark": str(mark)}, impure="ok")))
    before = signal.getsignal(signal.SIGINT)
    stop = threading.Event()

    def press() -> None:
        while not mark.exists() and not stop.is_set():
            stop.wait(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    try:
        rest = drive(opened, [record.id], on_interrupt=lambda: told.append(1))
    finally:
        stop.set()
        thread.join()
    assert (rest, told) == ({record.id: RunStatus.PAUSED}, [1])
    assert states(opened, record) == {"slow": "ready"}
    assert opened.store.read.running_attempts(record.id) == []
    assert signal.getsignal(signal.SIGINT) is before
