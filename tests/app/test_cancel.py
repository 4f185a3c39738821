"""A wish that no engine hears is carried out by who wishes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.app.flows import pipeline, recorded, run, states, step, write

from mainspring.app.cancel import cancel, pause, wait_until_rest
from mainspring.app.project import Project
from mainspring.app.running import drive, reopen
from mainspring.records.errors import ConflictError
from mainspring.records.runs import Attempt, Run
from mainspring.records.status import AttemptStatus, RunStatus, Wish

FLOW = """
    from mainspring import step

    @step
    def one() -> int:
        return 1

    @step
    def two(x: int) -> int:
        return x + 1
"""
SPEC = pipeline(step("one"), step("two", {"x": "${{ steps.one }}"}))


@pytest.fixture
def opened(project: Path) -> Iterator[Project]:
    write(project, FLOW)
    found = Project(project)
    yield found
    found.close()


def abandoned(project: Project) -> Run:
    """A run at whose task an engine was at work that is dead now, and its worker too."""
    record = recorded(project, SPEC)
    task = project.store.read.find_task(record.id, "one")
    attempt = Attempt(
        id=f"{record.id}.{task.id}.1", task=task.id, run=record.id, number=1,
        status=AttemptStatus.RUNNING, engine="engine-dead", epoch=1, started=1.0,
    )  # fmt: skip
    with project.store.write() as tx:
        tx.set_driver(record.id, "engine-dead")
        tx.move_run(record.id, RunStatus.RUNNING, 1.0)
        assert tx.begin(attempt, "key", "static", 0, {}, "")
    return project.store.read.run(record.id)


def test_a_run_that_nobody_drives(opened: Project) -> None:
    record = recorded(opened, SPEC)
    assert not opened.is_driven(record.id)
    assert cancel(opened, record) is RunStatus.CANCELLED
    assert states(opened, record) == {"one": "cancelled", "two": "cancelled"}
    assert reopen(opened, opened.store.read.run(record.id)) == 2
    assert drive(opened, [record.id]) == {record.id: RunStatus.SUCCEEDED}


def test_a_run_whose_engine_died_in_the_middle(opened: Project) -> None:
    record = abandoned(opened)
    assert cancel(opened, record) is RunStatus.CANCELLED
    (attempt,) = opened.store.read.attempts(opened.store.read.find_task(record.id, "one").id)
    assert attempt.status in (AttemptStatus.CANCELLED, AttemptStatus.LOST)
    assert set(states(opened, record).values()) == {"cancelled"}


def test_pause_of_such_a_run_leaves_it_to_be_resumed(opened: Project) -> None:
    record = abandoned(opened)
    assert pause(opened, record) is RunStatus.PAUSED
    assert states(opened, record) == {"one": "ready", "two": "pending"}
    reopen(opened, record)
    assert drive(opened, [record.id]) == {record.id: RunStatus.SUCCEEDED}


def test_a_live_engine_is_left_to_do_it(opened: Project) -> None:
    record = recorded(opened, SPEC)
    with opened.store.write() as tx:
        tx.set_driver(record.id, "engine-alive")
    opened.leases.hold("engine-alive")
    assert opened.is_driven(record.id)
    assert cancel(opened, record) is RunStatus.QUEUED
    assert opened.store.read.run(record.id).wish is Wish.CANCEL
    assert wait_until_rest(opened, record.id, 0.01) is RunStatus.QUEUED
    opened.leases.release("engine-alive")
    assert wait_until_rest(opened, record.id, 60.0) is RunStatus.QUEUED
    assert cancel(opened, record) is RunStatus.CANCELLED


@pytest.mark.parametrize("verb", [cancel, pause])
def test_a_run_that_has_ended_since_it_was_read(opened: Project, verb: object) -> None:
    before = recorded(opened, SPEC)
    drive(opened, [before.id])
    assert before.status is RunStatus.QUEUED
    with pytest.raises(ConflictError, match="has ended already: it is succeeded"):
        verb(opened, before)  # type: ignore[operator]
    after = opened.store.read.run(before.id)
    assert (after.status, after.wish) == (RunStatus.SUCCEEDED, Wish.RUN)


def test_a_cancelled_run_cannot_be_cancelled_again(opened: Project) -> None:
    record = recorded(opened, SPEC)
    cancel(opened, record)
    with pytest.raises(ConflictError, match="it is cancelled"):
        cancel(opened, opened.store.read.run(record.id))


def test_what_had_succeeded_stays_and_is_reused(opened: Project) -> None:
    first = run(opened, pipeline(step("one")))
    assert first.status is RunStatus.SUCCEEDED
    record = recorded(opened, SPEC)
    cancel(opened, record)
    assert states(opened, record) == {"one": "reused", "two": "cancelled"}
