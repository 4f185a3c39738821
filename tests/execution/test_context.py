"""What a turn remembers to tell, and what a run's context decides and computes again."""

from __future__ import annotations

from typing import Any

import pytest
from tests.execution.rig import Rig, pipeline, step

from mainspring.execution.context import Turn
from mainspring.planning.decide import Execute, Expand, Fault
from mainspring.planning.expand import Closed, NextRound
from mainspring.records.errors import DefinitionError
from mainspring.records.spec import Parameter, RepeatNode
from mainspring.records.status import RunStatus, TaskStatus

SPEC = pipeline(step("numbers"), step("each", {"x": "${{ steps.numbers }}", "k": 10}, map=("x",)))


def test_events_say_what_happened_in_order() -> None:
    rig = Rig()
    rig.add(pipeline(step("a")))
    turn = Turn(None, 5.0)  # type: ignore[arg-type]
    turn.note(rig.task("a"), TaskStatus.RUNNING, reason="why", attempt="r.1.1")
    turn.ended("r", RunStatus.SUCCEEDED)
    turn.later(3, 1.5)
    first, second = turn.events
    assert (first.run, first.path, first.kind, first.status) == ("r", "a", "step", "running")
    assert (first.reason, first.attempt) == ("why", "r.1.1")
    assert (second.path, second.status) == (None, "succeeded")
    assert (turn.delays, turn.ended_runs) == ({3: 1.5}, {"r": RunStatus.SUCCEEDED})


def prepared(values: Any) -> tuple[Rig, Any]:
    """A run whose map is open, and a context as an engine that was just started makes it."""
    rig = Rig()
    rig.add(SPEC)
    engine = rig.started()
    rig.done("numbers", values)
    rig.turn(engine)
    return rig, lambda tx: rig._prepare(tx.get_run("r"), tx)


def test_elements_are_known_again_after_a_restart() -> None:
    rig, prepare = prepared([1, 2, 3])
    with rig.store.write() as tx:
        context = prepare(tx)
        parent = tx.task(rig.task("each").id)
        found = context.elements(tx, parent.id)
        assert isinstance(found, Expand)
        assert found.count == 3
        assert context.elements(tx, parent.id) is found
        child = context.decide(tx, rig.task("each[1]"))
    assert isinstance(child, Execute)
    assert child.keyed.digests["x"][1] == "2"


def test_elements_that_are_gone_are_an_error() -> None:
    rig, prepare = prepared([1, 2, 3])
    rig.artifacts.forget(rig.store.read.outputs(rig.task("numbers").id)["result"])
    with rig.store.write() as tx, pytest.raises(KeyError):
        prepare(tx).elements(tx, rig.task("each").id)


def test_a_fault_is_raised_where_elements_are_asked_for() -> None:
    rig = Rig()
    spec = pipeline(step("each", {"x": 7}, map=("x",)))
    rig.add(spec)
    with rig.store.write() as tx:
        context = rig._prepare(tx.get_run("r"), tx)
        task = tx.task(rig.task("each").id)
        assert isinstance(context.decide(tx, task), Fault)
        with pytest.raises(DefinitionError, match="map needs a list"):
            context.elements(tx, task.id)


def test_an_elements_seed_and_key_do_not_depend_on_its_place() -> None:
    keys: list[dict[str, str]] = []
    for values in ([1, 2, 3], [9, 1, 2, 3]):
        rig, prepare = prepared(values)
        with rig.store.write() as tx:
            context = prepare(tx)
            found = {}
            for index, value in enumerate(values):
                made = context.decide(tx, rig.task(f"each[{index}]"))
                found[str(value)] = f"{made.keyed.key} {made.keyed.seed}"
        keys.append(found)
    assert keys[0].items() <= keys[1].items()
    assert len(set(keys[1].values())) == 4


def test_closing_a_map_and_a_repeat() -> None:
    body = pipeline(
        step("inc", {"a": "${{ parameters.x }}"}),
        parameters={"x": Parameter()}, outputs={"x": "${{ steps.inc }}"},
    )  # fmt: skip
    loop = RepeatNode(
        name="loop", pipeline=body, bindings={"x": 0}, until="outputs.x > 1", max=5,
        carry={"x": "x"},
    )  # fmt: skip
    rig = Rig()
    rig.add(pipeline(loop, *SPEC.steps))
    engine = rig.started()
    rig.done("loop#1/inc", 1)
    rig.done("numbers", [])
    with rig.store.write() as tx:
        for attempt in list(rig.world.outcomes):
            order = tx.finish(attempt, "e1", 1, rig.world.outcomes[attempt])
            outputs = rig.world.outcomes[attempt].outputs
            tx.settle(order.id, TaskStatus.SUCCEEDED, 1.0, outputs=outputs)
        context = rig._prepare(tx.get_run("r"), tx)
        task = tx.task(rig.task("loop").id)
        assert context.close(tx, task, context.graph.node("loop")) == NextRound(2)
        tx.open(rig.task("each").id, 0, 0, 0)
        task = tx.task(rig.task("each").id)
        made = context.close(tx, task, context.graph.node("each"))
    assert isinstance(made, Closed)
    assert made.reason == "0 elements"
    assert engine.watched.keys() == rig.world.outcomes.keys()
