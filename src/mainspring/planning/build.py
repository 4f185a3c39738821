"""build: spec + history -> Plan. Simulates the run as far as it can be known now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from mainspring.planning.decide import (
    Block,
    Context,
    Decision,
    Execute,
    Expand,
    Fault,
    Judge,
    Keyed,
    Reuse,
    Round,
    Skip,
    consider,
    consider_inputs,
    element_inputs,
)
from mainspring.planning.expand import (
    Child,
    Closed,
    Failed,
    NextRound,
    RunGraph,
    child_path,
    close_map,
    close_round,
)
from mainspring.planning.graph import GraphNode
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import MainspringError
from mainspring.records.plan import ELEMENTS_LISTED, Choice, Plan, PlannedTask
from mainspring.records.sources import Source
from mainspring.records.spec import CheckpointNode, PipelineSpec
from mainspring.records.status import TaskStatus
from mainspring.records.stores import Upstream


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What identifies the planned run."""

    spec: str
    snapshot: str
    parameters: dict[str, Any]
    sources: dict[str, Source] = {}


def build(spec: PipelineSpec, frame: Frame, context: Context) -> Plan:
    """Return the plan: each task with a decision and its reason, upstream first.

    Pure: reads only what `context` gives. Raises DefinitionError for a spec that can't be
    flattened.
    """
    planner = _Planner(RunGraph(spec, frame.parameters, frame.sources), context)
    planner.plan(planner.run.graph.nodes)
    tasks = tuple(planner.tasks)
    times = [t.expected * n for t in tasks if t.expected is not None and (n := _to_run(t))]
    return Plan(
        pipeline=spec.name,
        spec=frame.spec,
        snapshot=frame.snapshot,
        parameters=dict(frame.parameters),
        seed=context.seed,
        tasks=tasks,
        expected=sum(times) if times else None,
        sources=frame.sources,
    )


def _to_run(task: PlannedTask) -> int:
    """How many tasks an entry of the plan stands for that will run, or may."""
    if task.kind == "element":  # counted in its map
        return 0
    if task.elements:
        return task.elements.get(Choice.RUN.value, 0)
    return int(task.choice is not Choice.REUSE)


class _Planner:
    """Walks the graph with what is known; `known` holds tasks whose outcome is certain."""

    def __init__(self, run: RunGraph, context: Context) -> None:
        self.run = run
        self.context = context
        self.known: dict[str, Upstream] = {}
        self.tasks: list[PlannedTask] = []
        self.expected = context.history.expected(context.pipeline)

    def plan(self, nodes: Mapping[str, GraphNode]) -> None:
        for node in list(nodes.values()):
            unknown = [path for path in node.deps if path not in self.known]
            if unknown:
                more = f" and {len(unknown) - 1} more are" if len(unknown) > 1 else " is"
                self._add(node, Choice.UNKNOWN, f"until {unknown[0]}{more} settled")
                continue
            made = consider(node, self.known, self.run.graph, self.context)
            self._take(node, made)

    def _take(self, node: GraphNode, made: Decision) -> None:
        if isinstance(made, Skip):
            self._settle(node, Choice.SKIP, made.reason, TaskStatus.SKIPPED)
        elif isinstance(made, Block):
            self._settle(node, Choice.SKIP, made.reason, TaskStatus.BLOCKED)
        elif isinstance(made, Fault):
            self._settle(node, Choice.FAIL, str(made.error), TaskStatus.FAILED)
        elif isinstance(made, Judge):
            self._judge(node, made)
        elif isinstance(made, Expand):
            self._expand(node, made)
        elif isinstance(made, Round):
            self._rounds(node)
        else:
            self._keyed(node, made)

    def _keyed(self, node: GraphNode, made: Reuse | Execute) -> None:
        self._add_keyed(node, node.path, made)
        if isinstance(made, Reuse):
            done = Upstream(status=TaskStatus.REUSED, outputs=made.cached.outputs)
            self.known[node.path] = done

    def _add_keyed(self, node: GraphNode, path: str, made: Reuse | Execute) -> None:
        if isinstance(made, Execute):
            self._add(node, Choice.RUN, made.reason, path=path, keyed=made.keyed)
            return
        self._add(
            node, Choice.REUSE, made.reason, path=path, keyed=made.keyed,
            outputs=made.cached.outputs, source=f"{made.cached.run}/{made.cached.task}",
        )  # fmt: skip

    def _judge(self, node: GraphNode, made: Judge) -> None:
        assert isinstance(node.work, CheckpointNode)
        stops = not made.passed and node.work.on_fail == "stop"
        status = TaskStatus.FAILED if stops else TaskStatus.SUCCEEDED
        word = "passes" if made.passed else "does not pass"
        choice = Choice.FAIL if stops else Choice.DECIDE
        self._settle(node, choice, f"{word}: {_condition(node)}", status)

    def _expand(self, node: GraphNode, made: Expand) -> None:
        at = len(self.tasks)
        self._add(node, Choice.UNKNOWN, "")
        children: list[Child] = []
        counts: Counter[str] = Counter()
        why = ""
        for index in range(made.count):
            inputs, entries = element_inputs(made, index)
            child = consider_inputs(node, inputs, self.context, entries=entries, index=index)
            choice = Choice.REUSE if isinstance(child, Reuse) else Choice.RUN
            counts[choice.value] += 1
            if counts[choice.value] <= ELEMENTS_LISTED:
                self._add_keyed(node, child_path(node.path, index), child)
            if isinstance(child, Reuse):
                children.append((index, TaskStatus.REUSED, child.cached.outputs))
            else:
                why = why or child.reason
        run = counts[Choice.RUN.value]
        if run:
            choice, text = Choice.RUN, f"{run} of {made.count} elements run: {why}"
        else:
            closed = close_map(node, lambda: children, self.context.reader)
            assert isinstance(closed, Closed)
            self.known[node.path] = Upstream(status=TaskStatus.REUSED, outputs=closed.outputs)
            choice, text = Choice.REUSE, f"all {made.count} elements are reused"
        self.tasks[at] = msgspec.structs.replace(
            self.tasks[at], choice=choice, reason=text, elements=dict(counts)
        )

    def _rounds(self, node: GraphNode) -> None:
        at = len(self.tasks)
        self._add(node, Choice.UNKNOWN, "")
        choice, reason = self._play_rounds(node)
        self.tasks[at] = msgspec.structs.replace(self.tasks[at], choice=choice, reason=reason)

    def _play_rounds(self, node: GraphNode) -> tuple[Choice, str]:
        number = 1
        while True:
            made = self.run.add_round(node.path)
            self.plan(made.nodes)
            if any(path not in self.known for path in made.nodes):
                return Choice.RUN, f"round {number} has tasks to run"
            try:
                closed = close_round(
                    self.run, node, number, self.known.__getitem__, self.context.reader
                )
            except MainspringError as error:
                closed = Failed(str(error))
            if isinstance(closed, Failed):
                self.known[node.path] = Upstream(status=TaskStatus.FAILED)
                return Choice.FAIL, closed.reason
            if isinstance(closed, Closed):
                done = Upstream(status=TaskStatus.SUCCEEDED, outputs=closed.outputs)
                self.known[node.path] = done
                return Choice.REUSE, closed.reason
            assert isinstance(closed, NextRound)
            number = closed.number

    def _settle(self, node: GraphNode, choice: Choice, reason: str, status: TaskStatus) -> None:
        self._add(node, choice, reason)
        self.known[node.path] = Upstream(status=status)

    def _add(
        self,
        node: GraphNode,
        choice: Choice,
        reason: str,
        *,
        path: str | None = None,
        keyed: Keyed | None = None,
        outputs: dict[str, ArtifactRef] | None = None,
        source: str | None = None,
    ) -> None:
        self.tasks.append(
            PlannedTask(
                path=path or node.path,
                node=node.template,
                kind=node.kind if path is None or path == node.path else "element",
                choice=choice,
                reason=reason,
                key=keyed.key if keyed else None,
                static=keyed.static if keyed else None,
                seed=keyed.seed if keyed else None,
                inputs=keyed.digests if keyed else {},
                outputs=outputs or {},
                deps=node.deps,
                source=source,
                expected=self.expected.get(node.template),
            )
        )


def _condition(node: GraphNode) -> str:
    binding = node.bindings["condition"]
    return getattr(binding, "text", str(binding))
