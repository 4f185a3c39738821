from __future__ import annotations

import msgspec
import pytest

from mainspring.execution.admission import Grant
from mainspring.execution.orders import attempt_id, make_order, threads_of
from mainspring.planning.decide import Keyed
from mainspring.planning.graph import flatten
from mainspring.records.artifacts import Literal
from mainspring.records.runs import Order, Run, Task
from mainspring.records.spec import CommandNode, Options, PipelineSpec, StepNode
from mainspring.records.status import RunStatus, TaskStatus, Wish

RUN = Run(
    id="20260101-000000-abcde", pipeline="p", status=RunStatus.RUNNING, wish=Wish.RUN, spec="s",
    snapshot="blake3:1", parameters={}, seed=0, created=0.0,
)  # fmt: skip
OPTIONS = Options(cpus=2.5, gpus=2, memory=100, timeout=9.0, env=("TOKEN",))
KEYED = Keyed(key="k", static="s", seed=77, inputs={"x": Literal(value=1)}, digests={})
GRANT = Grant(cpus=2.5, gpus=(1, 3), memory=100, custom={})


def made(work: StepNode | CommandNode) -> Order:
    graph = flatten(PipelineSpec(name="p", steps=(work,)), {})
    task = Task(
        id=4, run=RUN.id, path="a[3]", node="a", kind="element", status=TaskStatus.READY, attempts=2
    )
    return make_order(RUN, task, graph.nodes["a"], KEYED, GRANT)


def test_a_steps_order() -> None:
    order = made(StepNode(name="a", uses="m:a", outputs={"result": "int"}, options=OPTIONS))
    assert order == Order(
        attempt="20260101-000000-abcde.4.3", run=RUN.id, path="a[3]", node="a",
        snapshot="blake3:1", uses="m:a", inputs={"x": Literal(value=1)},
        outputs={"result": "int"}, seed=77, threads=2, cpus=2.5, gpus=(1, 3), memory=100,
        timeout=9.0, env=("TOKEN",),
    )  # fmt: skip
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(order), type=Order) == order


def test_an_order_says_whether_the_libraries_have_to_be_deterministic() -> None:
    free = Options(deterministic=False)
    assert made(StepNode(name="a", uses="m:a")).deterministic
    assert not made(StepNode(name="a", uses="m:a", options=free)).deterministic


def test_a_commands_order() -> None:
    order = made(
        CommandNode(
            name="a", command="sort {inputs.x}", shell=True, files=("a.txt",),
            outputs={"out": "out.txt"}, options=OPTIONS,
        )
    )  # fmt: skip
    assert (order.uses, order.command, order.shell, order.files) == (
        "", "sort {inputs.x}", True, ("a.txt",),
    )  # fmt: skip
    assert order.outputs == {"out": "out.txt"}


@pytest.mark.parametrize(("cpus", "threads"), [(0.1, 1), (1, 1), (1.9, 1), (2, 2), (16, 16)])
def test_threads_follow_cpus_and_are_never_none(cpus: float, threads: int) -> None:
    assert threads_of(StepNode(name="a", uses="m:a", options=Options(cpus=cpus))) == threads


def test_ids_of_attempts_are_their_own() -> None:
    ids = {
        attempt_id(f"r{run}", task, number)
        for run in "12"
        for task in (1, 11)
        for number in (1, 11)
    }
    assert len(ids) == 8
