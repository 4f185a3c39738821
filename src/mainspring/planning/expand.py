"""Growth of a run: children of a map, rounds of a repeat; pure and append-only.

The engine, `plan` and recovery all grow a run with this code, so that they agree on every path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from mainspring.planning.graph import Graph, GraphNode, flatten, flatten_round, until_of
from mainspring.planning.resolve import ArtifactReader, Resolver
from mainspring.records.artifacts import ArtifactRef, Stored
from mainspring.records.artifacts import Literal as LiteralInput
from mainspring.records.errors import DefinitionError, MainspringError
from mainspring.records.expressions import Constant, Expression, rewrite
from mainspring.records.sources import Source
from mainspring.records.spec import CommandNode, PipelineSpec, RepeatNode, StepNode
from mainspring.records.status import TASK_HAS_OUTPUTS, TaskStatus
from mainspring.records.stores import Upstream

Child: TypeAlias = tuple[int, TaskStatus, dict[str, ArtifactRef]]


class Closed(msgspec.Struct, frozen=True):
    """All children are settled; these are the outputs."""

    outputs: dict[str, ArtifactRef]
    reason: str
    reused: bool = False


class Failed(msgspec.Struct, frozen=True):
    """A child failed, or the rounds ran out."""

    reason: str


class NextRound(msgspec.Struct, frozen=True):
    """`until` does not hold yet."""

    number: int


class RunGraph:
    """The graph of one run: the pipeline's, and the rounds of its repeats so far."""

    def __init__(
        self,
        spec: PipelineSpec,
        parameters: Mapping[str, Any],
        sources: Mapping[str, Source] = {},
    ) -> None:
        self.graph: Graph = flatten(spec, parameters, sources)
        self.spec = spec
        self._rounds: dict[str, list[Graph]] = {}

    def node(self, path: str) -> GraphNode:
        """Return the node of a task; a map's child has its map's node.

        Rounds that the path speaks of are added where they are missing: after a restart the
        store knows of them, and the graph must follow.
        """
        name = path.rpartition("[")[0] if path.endswith("]") else path
        if name not in self.graph.nodes:
            self._grow_to(name)
        return self.graph.nodes[name]

    def _grow_to(self, path: str) -> None:
        """`a#2/b#1/c`: add rounds 1-2 of `a`, then round 1 of `a#2/b`."""
        at = path.find("#")
        while at >= 0:
            slash = path.index("/", at)
            self.round(path[:at], int(path[at + 1 : slash]))
            at = path.find("#", slash)

    def rounds(self, path: str) -> int:
        """Return how many rounds of a repeat have been added."""
        return len(self._rounds.get(path, ()))

    def add_round(self, path: str) -> Graph:
        """Add the next round of the repeat at `path` and return its graph."""
        node = self.graph.nodes[path]
        assert isinstance(node.work, RepeatNode)
        done = self._rounds.setdefault(path, [])
        parameters = dict(node.bindings)
        if done:
            carried = {p: done[-1].outputs[out] for p, out in node.work.carry.items()}
            parameters.update(carried)
        made = flatten_round(node, len(done) + 1, parameters)
        done.append(made)
        self.graph.nodes.update(made.nodes)
        return made

    def round(self, path: str, number: int) -> Graph:
        """Return round `number` (from 1), adding rounds up to it where needed."""
        while self.rounds(path) < number:
            self.add_round(path)
        return self._rounds[path][number - 1]


def local_deps(node: GraphNode, graph: Graph) -> tuple[str, ...]:
    """The dependencies of a round's node inside its round; the others were settled before it."""
    return tuple(path for path in node.deps if path in graph.nodes)


def child_path(path: str, index: int) -> str:
    """Return the path of a map's child."""
    return f"{path}[{index}]"


def close_map(
    node: GraphNode, children: Callable[[], Iterable[Child]], reader: ArtifactReader
) -> Closed | Failed:
    """Return what a map comes to once its children are settled.

    `children` gives them by index, anew each time: there may be too many to hold them all.
    """
    count, bad, statuses = 0, 0, set[TaskStatus]()
    named: list[str] = []
    for index, status, _ in children():
        count += 1
        statuses.add(status)
        if status not in TASK_HAS_OUTPUTS:
            bad += 1
            named += [str(index)] if bad <= 5 else []
    if bad:
        which = ", ".join(named) + (", …" if bad > 5 else "")
        return Failed(f"{bad} of {count} elements did not succeed: {which}")
    assert isinstance(node.work, StepNode | CommandNode)
    outputs = {
        name: reader.list_of(made[name] for _, _, made in children()) for name in node.work.outputs
    }
    reused = statuses == {TaskStatus.REUSED}
    return Closed(outputs, f"{count} element{'' if count == 1 else 's'}", reused)


def close_round(
    run: RunGraph,
    node: GraphNode,
    number: int,
    upstream: Callable[[str], Upstream],
    reader: ArtifactReader,
) -> Closed | Failed | NextRound:
    """Return what a repeat comes to once round `number` is settled. Raises DefinitionError."""
    assert isinstance(node.work, RepeatNode)
    made = run.round(node.path, number)
    for path in made.nodes:
        status = upstream(path).status
        if status in (TaskStatus.FAILED, TaskStatus.BLOCKED, TaskStatus.CANCELLED):
            return Failed(f"round {number}: {path} is {status.value}")
    resolver = Resolver(upstream, reader, run.graph)
    holds = bool(resolver.value(_over_steps(until_of(node.work), made)))
    if not holds and number < node.work.max:
        return NextRound(number + 1)
    if not holds and node.work.exhausted == "fail":
        return Failed(f"`until` did not hold after {number} rounds")
    outputs = {name: _stored(resolver, made, name, reader) for name in made.outputs}
    outputs["rounds"] = reader.json_of(number)
    rounds = f"{number} round{'' if number == 1 else 's'}"
    return Closed(outputs, rounds if holds else f"{rounds}, `until` never held")


def _over_steps(until: Expression, made: Graph) -> Expression:
    def replace(root: str, name: str) -> Expression | None:
        if root != "outputs":
            return None
        if name not in made.outputs:
            known = ", ".join(made.outputs)
            raise DefinitionError(f"`until`: no output {name!r}", hint=f"there is {known}")
        binding = made.outputs[name]
        if isinstance(binding, Constant):
            raise DefinitionError(f"`until`: output {name!r} is a constant")
        return binding

    return rewrite(until, replace)


def _stored(resolver: Resolver, made: Graph, name: str, reader: ArtifactReader) -> ArtifactRef:
    value = resolver.input(made.outputs[name])
    if isinstance(value, Stored) and value.index is None:
        return value.ref
    if isinstance(value, LiteralInput):
        return reader.json_of(value.value)
    raise MainspringError(
        f"output {name!r} of a repeat must be one output of a step or a computed value",
        hint="name one output, or gather them in a step",
    )
