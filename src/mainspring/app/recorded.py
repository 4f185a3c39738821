"""The tasks of a recorded run that a worker has executed, with the inputs that they had then.

They come in the order in which they depend on one another. Their inputs are those on record, so
that each can be executed by itself: what one of them makes now is nothing to the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from mainspring.app.planning import make_context
from mainspring.app.project import Project
from mainspring.app.running import load_spec
from mainspring.execution.admission import Grant
from mainspring.execution.orders import make_order
from mainspring.planning.decide import (
    Context,
    Execute,
    Expand,
    Fault,
    Keyed,
    consider,
    consider_inputs,
    element_inputs,
)
from mainspring.planning.expand import RunGraph
from mainspring.planning.graph import GraphNode
from mainspring.records.artifacts import ArtifactRef, Bundle, Input, Stored
from mainspring.records.artifacts import Mapping as MappingInput
from mainspring.records.artifacts import Sequence as SequenceInput
from mainspring.records.errors import BlobError, MainspringError, NotFoundError
from mainspring.records.plan import Cached
from mainspring.records.runs import Order, Run, Task
from mainspring.records.spec import CommandNode, Options, StepNode
from mainspring.records.stores import KeyParts, Upstream

_ELEMENTS = 500
"""Elements of a map that are read at once."""


class Recorded(msgspec.Struct, kw_only=True):
    """A task of the run, at `place` in the order of dependencies, with its `outputs` then.

    `keyed` are its inputs, seed and key as they come out now; where they can't be found again
    it is None, and `fault` says why; `missing` if a value is gone, which may be made again.
    """

    run: Run
    task: Task
    node: GraphNode
    outputs: dict[str, ArtifactRef]
    place: int = 0
    keyed: Keyed | None = None
    fault: str = ""
    missing: bool = False

    @property
    def options(self) -> Options:
        """How the step is run."""
        work = self.node.work
        assert isinstance(work, StepNode | CommandNode)
        return work.options

    def order(self, attempt: str, grant: Grant) -> Order:
        """Return the order for another attempt of the task, with the recorded seed."""
        assert self.keyed is not None
        made = make_order(self.run, self.task, self.node, self.keyed, grant)
        seed = self.keyed.seed if self.task.seed is None else self.task.seed
        return msgspec.structs.replace(made, attempt=attempt, seed=seed)

    def artifacts(self) -> Iterator[ArtifactRef]:
        """Yield the stored values that its inputs are made of."""
        assert self.keyed is not None
        yield from _artifacts(self.keyed.inputs.values())


def _artifacts(inputs: Iterable[Input]) -> Iterator[ArtifactRef]:
    for given in inputs:
        if isinstance(given, Stored):
            yield given.ref
        elif isinstance(given, SequenceInput):
            yield from _artifacts(given.items)
        elif isinstance(given, MappingInput | Bundle):
            yield from _artifacts(given.items.values())


class NoHistory:
    """A past without results (records.stores.History): every cache is ignored."""

    def lookup(self, key: str) -> Sequence[Cached]:
        """Nothing."""
        del key
        return ()

    def previous(self, pipeline: str, path: str) -> KeyParts | None:
        """Nothing."""
        del pipeline, path
        return None

    def expected(self, pipeline: str) -> Mapping[str, float]:
        """Nothing."""
        del pipeline
        return {}


class RecordedRun:
    """A run as it is on record, and `context`, by which its tasks are considered again."""

    def __init__(self, project: Project, run: Run) -> None:
        self._project = project
        self.run = run
        self.graph = RunGraph(load_spec(project, run), run.parameters, run.sources)
        self.context: Context = make_context(
            project, run.pipeline, run.snapshot, run.seed, NoHistory()
        )
        self._tasks = {task.path: task for task in project.store.read.top_tasks(run.id)}
        # As it is before the rounds of repeats are added to it.
        self._nodes = dict(self.graph.graph.nodes)

    def tasks(self, wanted: Sequence[str] = ()) -> Iterator[Recorded]:
        """Yield the tasks of steps and commands, upstream first; only those named in `wanted`
        (`train`, `train[3]`, `tune#2/train`), if any are. Raises NotFoundError."""
        for name in wanted:
            self._project.store.read.find_task(self.run.id, name)
        for place, recorded in enumerate(self._of(self._nodes)):
            recorded.place = place
            path = recorded.task.path
            if not wanted or path in wanted or path.rpartition("[")[0] in wanted:
                yield recorded

    def _of(self, nodes: Mapping[str, GraphNode]) -> Iterator[Recorded]:
        for path, node in nodes.items():
            task = self._tasks.get(path)
            if task is None:  # a round that was never begun
                continue
            if node.kind in ("step", "command"):
                yield self._recorded(task, node)
            elif node.kind == "map":
                yield from self._elements(task, node)
            elif node.kind == "repeat":
                for number in range(1, (task.total or 0) + 1):
                    yield from self._of(self.graph.round(path, number).nodes)

    def _recorded(self, task: Task, node: GraphNode) -> Recorded:
        made = self._new(task, node)
        try:
            found = consider(node, self._upstream(node), self.graph.graph, self.context)
        except MainspringError as error:
            found = Fault(error)
        if isinstance(found, Execute):
            made.keyed = found.keyed
        else:
            _fault(made, found)
        return made

    def _elements(self, task: Task, node: GraphNode) -> Iterator[Recorded]:
        try:
            expand = consider(node, self._upstream(node), self.graph.graph, self.context)
        except MainspringError as error:
            expand = Fault(error)
        first = 0
        while part := self._project.store.read.elements(task.id, first, _ELEMENTS):
            for element in part:
                yield self._element(element, node, expand)
            first = (part[-1].index or 0) + 1

    def _element(self, task: Task, node: GraphNode, expand: object) -> Recorded:
        made = self._new(task, node)
        if not isinstance(expand, Expand) or task.index is None or task.index >= expand.count:
            return _fault(made, expand)
        try:
            inputs, entries = element_inputs(expand, task.index)
            found = consider_inputs(node, inputs, self.context, entries=entries, index=task.index)
        except MainspringError as error:
            return _fault(made, Fault(error))
        made.keyed = found.keyed
        return made

    def _new(self, task: Task, node: GraphNode) -> Recorded:
        outputs = self._project.store.read.outputs(task.id)
        return Recorded(run=self.run, task=task, node=node, outputs=outputs)

    def _upstream(self, node: GraphNode) -> dict[str, Upstream]:
        found: dict[str, Upstream] = {}
        for path in node.deps:
            task = self._tasks.get(path)
            if task is None:
                raise NotFoundError(f"the run has no task {path!r}")
            outputs = self._project.store.read.outputs(task.id)
            found[path] = Upstream(status=task.status, outputs=outputs)
        return found


def _fault(made: Recorded, found: object) -> Recorded:
    """Note why a task's inputs are not to be had."""
    made.fault = str(found.error) if isinstance(found, Fault) else "its inputs are not there"
    made.missing = isinstance(found, Fault) and isinstance(found.error, BlobError)
    return made
