"""The in-memory store's contents: a copy is a snapshot, and counts are recomputed from facts."""

from __future__ import annotations

import msgspec
import pytest
from tests.contracts.store_builders import STATIC, a_run, attempt, ref

from mainspring.records.errors import NotFoundError
from mainspring.records.runs import Task
from mainspring.records.status import AttemptStatus, TaskStatus
from mainspring.testing.state import State


def task(number: int, status: TaskStatus = TaskStatus.READY, **more: object) -> Task:
    made = Task(id=number, run="r1", path=f"t{number}", node="t", kind="step", status=status)
    return msgspec.structs.replace(made, **more)


def state(*tasks: Task) -> State:
    made = State()
    made.runs["r1"] = a_run()
    made.tasks = {each.id: each for each in tasks}
    return made


def test_a_copy_does_not_see_later_changes() -> None:
    one = state(task(1))
    other = one.copy()
    one.put(one.task(1), status=TaskStatus.RUNNING)
    one.edges.add((1, 2))
    one.outputs[1] = {"x": ref()}
    one.results.append(None)  # type: ignore[arg-type]
    assert other.task(1).status is TaskStatus.READY
    assert (other.edges, other.outputs, other.results) == (set(), {}, [])


def test_what_is_not_there() -> None:
    with pytest.raises(NotFoundError, match="'r9'"):
        state().run("r9")
    with pytest.raises(NotFoundError, match="9"):
        state().task(9)


def test_tasks_of_a_run_come_by_id() -> None:
    made = state(task(3), task(1, TaskStatus.FAILED), task(2, run="r2"))
    assert [t.id for t in made.of_run("r1")] == [1, 3]
    assert [t.id for t in made.of_run("r1", TaskStatus.FAILED, TaskStatus.OPEN)] == [1]


def test_what_a_task_waits_for() -> None:
    made = state(
        task(1, TaskStatus.SUCCEEDED), task(2), task(3, TaskStatus.PENDING),
        task(4, TaskStatus.OPEN, total=5, expanded=2),
        task(5, TaskStatus.RUNNING, parent=4, index=0), task(6, TaskStatus.REUSED, parent=4),
    )  # fmt: skip
    made.edges = {(1, 3), (2, 3), (1, 4)}
    assert made.waits_for(made.task(3)) == 1
    assert made.waits_for(made.task(4)) == 4  # one child at work, three not there yet
    assert made.waits_for(made.task(1)) == 0


def test_attempts_by_number_and_those_at_work() -> None:
    made = state(task(1), task(2))
    for name, number, status in (("b", 2, "running"), ("a", 1, "failed"), ("c", 1, "running")):
        made.attempts[name] = attempt(
            2 if name == "c" else 1, name, number=number, status=AttemptStatus(status)
        )
    assert [a.id for a in made.tried(1)] == ["a", "b"]
    assert [a.id for a in made.at_work()] == ["b", "c"]
    assert made.at_work("r2") == []


def test_key_parts_need_a_static_part() -> None:
    made = state(task(1, key="k", static="s", seed=7), task(2, static="s"), task(3, key="k"))
    assert made.key_parts(made.task(1)) is None
    made.statics["s"] = STATIC
    made.inputs[1] = {"x": ("json:1", "1")}
    found = made.key_parts(made.task(1))
    assert found is not None
    assert (found.key, found.seed, found.inputs) == ("k", 7, {"x": ("json:1", "1")})
    assert [made.key_parts(made.task(number)) for number in (2, 3)] == [None, None]
