"""From a decision to an order: what a worker is told."""

from __future__ import annotations

from mainspring.execution.admission import Grant
from mainspring.planning.decide import Keyed
from mainspring.planning.graph import GraphNode
from mainspring.records.runs import Order, Run, Task
from mainspring.records.spec import CommandNode, StepNode


def make_order(run: Run, task: Task, node: GraphNode, keyed: Keyed, grant: Grant) -> Order:
    """Return the order for the next attempt of a task."""
    work = node.work
    assert isinstance(work, StepNode | CommandNode)
    step = isinstance(work, StepNode)
    return Order(
        attempt=attempt_id(run.id, task.id, task.attempts + 1),
        run=run.id,
        path=task.path,
        node=task.node,
        snapshot=run.snapshot,
        uses=work.uses if step else "",
        command="" if step else work.command,
        shell=False if step else work.shell,
        image=keyed.image,
        network=False if step else work.network,
        files=() if step else work.files,
        inputs=keyed.inputs,
        outputs=work.outputs,
        seed=keyed.seed,
        threads=threads_of(work),
        cpus=work.options.cpus,
        gpus=grant.gpus,
        memory=work.options.memory,
        timeout=work.options.timeout,
        env=work.options.env,
        lock=keyed.lock,
        deterministic=work.options.deterministic,
    )


def attempt_id(run: str, task: int, number: int) -> str:
    """Return the durable id of an attempt: its fencing token and the name of its directory."""
    return f"{run}.{task}.{number}"


def threads_of(work: StepNode | CommandNode) -> int:
    """Return how many BLAS/OpenMP threads a step gets: its cpus, at least one."""
    return max(1, int(work.options.cpus))
