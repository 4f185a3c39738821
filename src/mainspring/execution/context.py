"""What a turn works with: the transaction and its events; a run's graph and decisions."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mainspring.planning.decide import (
    Context,
    Decision,
    Expand,
    Fault,
    consider,
    consider_inputs,
    element_inputs,
)
from mainspring.planning.expand import Closed, Failed, NextRound, RunGraph, close_map, close_round
from mainspring.planning.graph import GraphNode
from mainspring.records.runs import Run, Task, TaskError
from mainspring.records.spec import RepeatNode
from mainspring.records.status import RunStatus, TaskStatus
from mainspring.records.stores import Transaction, Upstream


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a run or task, told after it was committed."""

    run: str
    path: str | None
    status: str
    kind: str = "run"
    reason: str | None = None
    seconds: float | None = None
    error: TaskError | None = None
    attempt: str | None = None


class Turn:
    """One turn of an engine: one transaction, the present time, and what to tell afterwards."""

    def __init__(self, tx: Transaction, now: float) -> None:
        self.tx = tx
        self.now = now
        self.events: list[Event] = []
        self.delays: dict[int, float] = {}
        self.ended_runs: dict[str, RunStatus] = {}

    def note(
        self,
        task: Task,
        status: TaskStatus,
        *,
        reason: str | None = None,
        seconds: float | None = None,
        error: TaskError | None = None,
        attempt: str | None = None,
    ) -> None:
        """Remember to tell what happened to a task."""
        self.events.append(
            Event(
                run=task.run,
                path=task.path,
                kind=task.kind,
                status=status.value,
                reason=reason,
                seconds=seconds,
                error=error,
                attempt=attempt,
            )
        )

    def later(self, task: int, delay: float) -> None:
        """Remember that a task becomes due in `delay` seconds by this engine's own clock."""
        self.delays[task] = delay

    def ended(self, run: str, status: RunStatus) -> None:
        """Remember that a run came to rest."""
        self.ended_runs[run] = status
        self.events.append(Event(run=run, path=None, status=status.value))


class RunContext:
    """A run as an engine holds it: its graph, and decisions by `planning.decide`."""

    def __init__(self, run: Run, graph: RunGraph, context: Context) -> None:
        self.run = run
        self.graph = graph
        self.context = context
        self.maps: dict[int, Expand] = {}

    def decide(self, tx: Transaction, task: Task) -> Decision:
        """Decide of a ready task (not of an open one that is to be closed)."""
        node = self.graph.node(task.path)
        if task.index is not None and task.parent is not None:
            inputs, entries = element_inputs(self.elements(tx, task.parent), task.index)
            return consider_inputs(node, inputs, self.context, entries=entries, index=task.index)
        return consider(node, tx.upstream(task.id), self.graph.graph, self.context)

    def elements(self, tx: Transaction, parent: int) -> Expand:
        """What a map expands over; computed again after a restart."""
        found = self.maps.get(parent)
        if found is None:
            task = tx.task(parent)
            node = self.graph.node(task.path)
            made = consider(node, tx.upstream(task.id), self.graph.graph, self.context)
            if isinstance(made, Fault):
                raise made.error
            assert isinstance(made, Expand), made
            found = self.maps[parent] = made
        return found

    def close(self, tx: Transaction, task: Task, node: GraphNode) -> Closed | Failed | NextRound:
        """Say what a map or repeat whose children are settled comes to."""
        if not isinstance(node.work, RepeatNode):
            self.maps.pop(task.id, None)  # its elements are needed no more
            return close_map(node, lambda: tx.child_outputs(task.id), self.context.reader)

        def upstream(path: str) -> Upstream:
            return tx.tasks_by_path(task.run, [path])[path][1]

        assert task.total is not None
        return close_round(self.graph, node, task.total, upstream, self.context.reader)


Prepare = Callable[[Run, Transaction], RunContext]
"""Builds a run's context (spec, snapshot, code); given to the engine by `app`."""

Listener = Callable[[Event], None]
