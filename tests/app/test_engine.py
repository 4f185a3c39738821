from __future__ import annotations

from pathlib import Path

from tests.app.flows import pipeline, recorded, run, step, write

from mainspring.app.engine import serve, unfinished
from mainspring.app.project import Project
from mainspring.execution.context import Event
from mainspring.records.status import RunStatus, Wish

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


def test_unfinished_runs_the_oldest_first(project: Path) -> None:
    write(project, FLOW)
    opened = Project(project)
    run(opened, SPEC)
    names = [recorded(opened, SPEC, seed=seed).id for seed in (1, 2, 3)]
    assert unfinished(opened) == names
    with opened.store.write([names[0]]) as tx:
        tx.move_run(names[0], RunStatus.PAUSED, 1.0)
        tx.set_wish(names[0], Wish.PAUSE)
    assert unfinished(opened) == names[1:]
    opened.close()


def test_it_serves_until_nothing_is_left(project: Path) -> None:
    write(project, FLOW)
    opened = Project(project)
    names = [recorded(opened, SPEC, seed=seed).id for seed in (1, 2)]
    heard: list[Event] = []
    rest = serve(opened, until_idle=True, listener=heard.append)
    assert rest == dict.fromkeys(names, RunStatus.SUCCEEDED)
    assert {event.run for event in heard} == set(names)
    assert unfinished(opened) == []
    assert serve(opened, until_idle=True) == {}
    assert opened.leases.living() == []
    opened.close()


def test_a_run_whose_source_is_gone_is_named_and_left_alone(project: Path) -> None:
    write(project, FLOW)
    opened = Project(project)
    bad = recorded(opened, SPEC, seed=1)
    opened.blobs.delete(bad.snapshot)
    opened.close()
    opened = Project(project)
    heard: list[Event] = []
    write(project, FLOW + "\n    VERSION = 2\n")
    good = recorded(opened, SPEC, seed=2)

    rest = serve(opened, until_idle=True, listener=heard.append)
    assert rest == {good.id: RunStatus.SUCCEEDED}
    told = [event.reason for event in heard if event.kind == "store"]
    assert len(told) == 1
    assert told[0] is not None
    assert told[0].startswith(f"run {bad.id} can't be worked on here: ")
    assert opened.store.read.run(bad.id).status is RunStatus.QUEUED
    opened.close()
