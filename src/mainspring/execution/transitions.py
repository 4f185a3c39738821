"""The rules that move tasks and attempts: small, named, each inside the turn's transaction.

docs/protocol.md is their law. Settling rules are chosen by how an attempt ended, claiming rules by
what `planning.decide` said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from blake3 import blake3

from mainspring.execution.context import RunContext, Turn
from mainspring.planning.decide import (
    Block,
    Expand,
    Fault,
    Judge,
    Keyed,
    Reuse,
    Round,
    Skip,
)
from mainspring.planning.expand import Closed, Failed, NextRound, child_path, local_deps
from mainspring.planning.graph import Graph, GraphNode
from mainspring.records.errors import MainspringError, StoreUnavailableError
from mainspring.records.plan import Cached
from mainspring.records.runs import Outcome, Task, TaskError, Verdict
from mainspring.records.spec import CheckpointNode, CommandNode, Options, StepNode
from mainspring.records.status import RUN_ENDED, AttemptStatus, RunStatus, TaskStatus, Wish
from mainspring.records.stores import NewTask

MAX_LOST = 5
CHUNK = 500
"""How many children of a map one turn adds at most."""


# Settling: what an attempt's end does to its task.


def record_success(turn: Turn, context: RunContext, task: Task, outcome: Outcome) -> None:
    """The step returned: keep its outputs, offer them for reuse, release what waits."""
    options = options_of(context.graph.node(task.path))
    turn.tx.settle(task.id, TaskStatus.SUCCEEDED, outcome.ended, outputs=outcome.outputs)
    if options.cache is not False and task.key is not None:
        cached = Cached(
            key=task.key,
            run=task.run,
            task=task.path,
            attempt=outcome.attempt,
            outputs=outcome.outputs,
            reads={read.path: read.digest for read in outcome.reads},
            impure=outcome.impure,
            ended=outcome.ended,
            wall=outcome.usage.wall,
        )
        turn.tx.add_result(cached)
    _wake(turn, task)
    turn.note(task, TaskStatus.SUCCEEDED, seconds=outcome.usage.wall)


def retry_or_fail(turn: Turn, context: RunContext, task: Task, outcome: Outcome) -> None:
    """The step raised or ran out of time: again after a back-off, or failed for good."""
    options = options_of(context.graph.node(task.path))
    if task.tries < options.retries:
        delay = back_off(options.retry_delay, task.tries + 1, outcome.attempt)
        turn.tx.again(task.id, turn.now + delay, tries=task.tries + 1, lost=0)
        turn.later(task.id, delay)
        text = f"retry {task.tries + 1} of {options.retries} in {delay:.1f} s"
        turn.note(task, TaskStatus.READY, reason=text, error=outcome.error)
        _wake(turn, task)
        return
    fail(turn, task, outcome.error or TaskError(kind="error", message="the attempt failed"))


def repeat_lost(turn: Turn, context: RunContext, task: Task, outcome: Outcome) -> None:
    """The attempt died with its worker: at once again, but not for ever."""
    if task.lost + 1 >= MAX_LOST:
        message = f"the worker died {MAX_LOST} times in a row without an outcome"
        fail(turn, task, TaskError(kind="lost", message=message))
        return
    turn.tx.again(task.id, None, tries=task.tries, lost=task.lost + 1)
    turn.note(task, TaskStatus.READY, reason="its worker died; again")
    _wake(turn, task)


def take_back(turn: Turn, context: RunContext, task: Task, outcome: Outcome) -> None:
    """The attempt was taken away: by a cancel for good, by a pause until later."""
    if turn.tx.get_run(task.run).wish is Wish.CANCEL:
        turn.tx.settle(task.id, TaskStatus.CANCELLED, turn.now, reason="cancelled")
        turn.note(task, TaskStatus.CANCELLED)
    else:
        turn.tx.again(task.id, None, tries=task.tries, lost=task.lost)
        turn.note(task, TaskStatus.READY, reason="interrupted")
    _wake(turn, task)


SETTLE: Mapping[AttemptStatus, Callable[[Turn, RunContext, Task, Outcome], None]] = {
    AttemptStatus.SUCCEEDED: record_success,
    AttemptStatus.FAILED: retry_or_fail,
    AttemptStatus.TIMED_OUT: retry_or_fail,
    AttemptStatus.LOST: repeat_lost,
    AttemptStatus.CANCELLED: take_back,
}


def back_off(delay: float, number: int, attempt: str) -> float:
    """Return `longest_wait`, ±25 % drawn from the attempt's id, in seconds."""
    draw = int.from_bytes(blake3(attempt.encode()).digest(length=4), "big") / 2**32
    return longest_wait(delay, number) * (0.75 + draw / 2)


def longest_wait(delay: float, number: int) -> float:
    """Return `delay · 2^(number-1)` seconds, at most an hour, for the `number`-th retry."""
    return min(3600.0, delay * 2.0 ** min(number - 1, 1000))


def fail(turn: Turn, task: Task, error: TaskError) -> None:
    """Settle a task as failed; its dependants will be blocked."""
    turn.tx.settle(task.id, TaskStatus.FAILED, turn.now, error=error)
    _wake(turn, task)
    turn.note(task, TaskStatus.FAILED, error=error)


def _wake(turn: Turn, task: Task) -> None:
    if task.key is not None:
        turn.tx.wake(task.key)


# Claiming: what a decision does, where no worker is needed for it.


def skip(turn: Turn, context: RunContext, task: Task, made: Skip) -> None:
    """Settle as skipped."""
    turn.tx.settle(task.id, TaskStatus.SKIPPED, turn.now, reason=made.reason)
    turn.note(task, TaskStatus.SKIPPED, reason=made.reason)


def block(turn: Turn, context: RunContext, task: Task, made: Block) -> None:
    """Settle as blocked: something it needs failed."""
    turn.tx.settle(task.id, TaskStatus.BLOCKED, turn.now, reason=made.reason)
    turn.note(task, TaskStatus.BLOCKED, reason=made.reason)


def fault(turn: Turn, context: RunContext, task: Task, made: Fault) -> None:
    """Settle as failed: its inputs or condition can't be computed."""
    fail(turn, task, error_of(made.error))


def reuse(turn: Turn, context: RunContext, task: Task, made: Reuse) -> None:
    """Settle with the outputs of an earlier result."""
    cached = made.cached
    turn.tx.settle(
        task.id,
        TaskStatus.REUSED,
        turn.now,
        outputs=cached.outputs,
        reason=made.reason,
        source=f"{cached.run}/{cached.task}",
        **_key_columns(made.keyed),
    )
    turn.note(task, TaskStatus.REUSED, reason=made.reason)


def judge(turn: Turn, context: RunContext, task: Task, made: Judge) -> None:
    """Record a checkpoint's verdict; a failed one that stops fails the task."""
    node = context.graph.node(task.path)
    assert isinstance(node.work, CheckpointNode)
    condition = getattr(node.bindings["condition"], "text", "")
    turn.tx.add_verdict(
        Verdict(
            run=task.run,
            task=task.path,
            name=node.work.name,
            kind=node.work.kind,
            passed=made.passed,
            on_fail=node.work.on_fail,
            condition=condition,
            values=made.values,
            evidence=made.evidence,
            at=turn.now,
        )
    )
    shown = ", ".join(f"{name} = {_brief(value)}" for name, value in made.values.items())
    if made.passed or node.work.on_fail == "warn":
        text = f"{'passed' if made.passed else 'did not pass (warning)'}: {shown}"
        turn.tx.settle(task.id, TaskStatus.SUCCEEDED, turn.now, reason=text)
        turn.note(task, TaskStatus.SUCCEEDED, reason=text)
        return
    message = f"{condition} does not hold: {shown}"
    fail(turn, task, TaskError(kind="checkpoint", message=message, where=node.work.where))


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def expand(turn: Turn, context: RunContext, task: Task, made: Expand) -> None:
    """Open a map; its children are added in chunks by `grow`."""
    context.maps[task.id] = made
    turn.tx.open(task.id, made.count, 0, made.count)
    if made.count:
        grow(turn, context, task.id)


def grow_maps(turn: Turn, runs: Sequence[str], context_of: Callable[[str], RunContext]) -> None:
    """Add children to open maps that are about to run out of ready ones."""
    for task in turn.tx.open_maps(runs):
        context = context_of(task.run)
        try:
            context.elements(turn.tx, task.id)
        except StoreUnavailableError:
            raise
        except MainspringError as error:
            fail(turn, task, error_of(error))
        else:
            grow(turn, context, task.id)


def grow(turn: Turn, context: RunContext, parent: int) -> None:
    """Add the next chunk of a map's children."""
    task = turn.tx.task(parent)
    made = context.maps[parent]
    start, total = task.expanded, made.count
    stop = min(total, start + CHUNK)
    children = [
        NewTask(
            path=child_path(task.path, index),
            node=task.node,
            kind="element",
            status=TaskStatus.READY,
            parent=parent,
            index=index,
        )
        for index in range(start, stop)
    ]
    turn.tx.add_tasks(task.run, children)
    turn.tx.open(parent, total, stop, task.pending)


def close_of(turn: Turn, context: RunContext, task: Task, node: GraphNode) -> None:
    """Every child is settled: close the map or repeat, or start the next round."""
    try:
        made = context.close(turn.tx, task, node)
    except StoreUnavailableError:
        raise
    except MainspringError as error:
        fail(turn, task, error_of(error))
        return
    if isinstance(made, NextRound):
        add_round(turn, context, task, made.number)
    elif isinstance(made, Failed):
        fail(turn, task, TaskError(kind="children", message=made.reason))
    else:
        _closed(turn, task, made)


def _closed(turn: Turn, task: Task, made: Closed) -> None:
    status = TaskStatus.REUSED if made.reused else TaskStatus.SUCCEEDED
    turn.tx.settle(task.id, status, turn.now, outputs=made.outputs, reason=made.reason)
    turn.note(task, status, reason=made.reason)


def first_round(turn: Turn, context: RunContext, task: Task, made: Round) -> None:
    """Open a repeat with its first round."""
    add_round(turn, context, task, 1)


def add_round(turn: Turn, context: RunContext, task: Task, number: int) -> None:
    """Add the tasks of one round; the repeat is open until they are settled."""
    made = context.graph.round(task.path, number)
    insert_nodes(turn, task.run, made, parent=task.id)
    turn.tx.open(task.id, number, number, len(made.nodes))
    turn.note(task, TaskStatus.OPEN, reason=f"round {number}")


def insert_nodes(turn: Turn, run: str, made: Graph, parent: int | None = None) -> None:
    """Insert the tasks of a graph, with their edges."""
    deps = {path: local_deps(node, made) for path, node in made.nodes.items()}
    new = [
        NewTask(
            path=path,
            node=node.template,
            kind=node.kind,
            status=TaskStatus.PENDING if deps[path] else TaskStatus.READY,
            pending=len(deps[path]),
            parent=parent,
        )
        for path, node in made.nodes.items()
    ]
    ids = dict(zip(made.nodes, turn.tx.add_tasks(run, new), strict=True))
    outside = {p for path, n in made.nodes.items() for p in n.deps if p not in deps[path]}
    known = turn.tx.tasks_by_path(run, sorted(outside)) if outside else {}
    ids |= {path: task for path, (task, _) in known.items()}
    # An edge from a settled task counts nothing, but keeps its outputs in reach of `upstream`.
    edges = [(ids[dep], ids[path]) for path, node in made.nodes.items() for dep in node.deps]
    turn.tx.add_edges(edges)


CLAIM: Mapping[type, Callable[[Turn, RunContext, Task, Any], None]] = {
    Skip: skip,
    Block: block,
    Fault: fault,
    Reuse: reuse,
    Judge: judge,
    Expand: expand,
    Round: first_round,
}


def options_of(node: GraphNode) -> Options:
    """Return the options of a step's or command's node."""
    assert isinstance(node.work, StepNode | CommandNode)
    return node.work.options


def error_of(error: MainspringError) -> TaskError:
    """Return an error as it is recorded."""
    kind = type(error).__name__.removesuffix("Error").lower()
    return TaskError(kind=kind, message=error.what, where=error.where or "", hint=error.hint or "")


def _key_columns(keyed: Keyed) -> dict[str, Any]:
    return {
        "key": keyed.key, "static": keyed.static, "seed": keyed.seed, "inputs": keyed.digests
    }  # fmt: skip


# Ending: what a run comes to.


def end_run(turn: Turn, run: str) -> RunStatus | None:
    """Move a run on when nothing of it is left to do; its new status, or None."""
    record = turn.tx.get_run(run)
    if record.status in RUN_ENDED:  # another engine has seen to it
        turn.ended_runs[run] = record.status
        return record.status
    if turn.tx.running([run]):
        return None
    if record.wish is Wish.CANCEL:
        turn.tx.settle_all(run, TaskStatus.CANCELLED, turn.now, "cancelled")
        status = RunStatus.CANCELLED
    elif not turn.tx.unsettled(run):
        failed = turn.tx.any_status(run, TaskStatus.FAILED)
        status = RunStatus.FAILED if failed else RunStatus.SUCCEEDED
    elif record.wish is Wish.PAUSE:
        status = RunStatus.PAUSED
    else:
        return None
    turn.tx.move_run(run, status, turn.now)
    turn.tx.set_driver(run, None)
    turn.ended(run, status)
    return status
