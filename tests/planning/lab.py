"""A small world to plan and run in: an in-memory store, real engine, functions instead of workers.

Steps `uses` a name of FUNCTIONS; what is "code" is a version by that name, so a test can edit it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mainspring.execution.context import RunContext, Turn
from mainspring.execution.engine import Engine
from mainspring.execution.transitions import insert_nodes
from mainspring.planning.build import Frame, build
from mainspring.planning.decide import Context, Decision, consider
from mainspring.planning.expand import RunGraph
from mainspring.planning.graph import flatten
from mainspring.records import artifacts as inputs
from mainspring.records.artifacts import ArtifactRef
from mainspring.records.canonical import canonical, digest_of
from mainspring.records.plan import Cached, Choice, Plan, PlannedTask
from mainspring.records.ports import Capacity
from mainspring.records.runs import Order, Outcome, Read, Run, Task, TaskError, Usage
from mainspring.records.source import CodePart, Static
from mainspring.records.spec import CheckpointNode, GroupNode, Options, PipelineSpec, StepNode
from mainspring.records.status import RUN_ENDED, AttemptStatus, RunStatus, TaskStatus, Wish
from mainspring.records.stores import KeyParts, Upstream
from mainspring.testing.artifacts import MemoryArtifacts
from mainspring.testing.executor import ScriptedExecutor, World
from mainspring.testing.memory import MemoryLeases, MemoryStore


def _sum(xs: Any = ()) -> int:
    return sum(x["x"] if isinstance(x, dict) else x or 0 for x in xs or ()) % 7


def point(x: int) -> dict[str, Any]:
    """A dataclass as JSON has it; an expression sees a dict, a step the object."""
    return {"$dataclass": ["m:Point", {"x": x}]}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a=0, b=0: _sum([a, b]),
    "count": lambda n=0: list(range((n or 0) % 4)),
    "sum": _sum,
    "same": lambda x=None: x,
    "refs": lambda n=0: list(range((n or 0) % 4)),
    "points": lambda n=0: [point(i) for i in range((n or 0) % 4)],
}


def step(name: str, uses: str = "add", /, **more: Any) -> StepNode:
    """A step; keywords that are no field of a node are its bindings."""
    fields = {n: more.pop(n) for n in list(more) if n in StepNode.__struct_fields__}
    fields.setdefault("outputs", {"result": "any"})
    return StepNode(name=name, uses=f"m:{uses}", bindings=more, **fields)


def mapped(name: str, over: str, uses: str = "add", /, **more: Any) -> StepNode:
    """A step mapped over its input `over`."""
    return step(name, uses, map=(over,), **more)


def group(name: str, body: PipelineSpec, /, **more: Any) -> GroupNode:
    fields = {n: more.pop(n) for n in list(more) if n in GroupNode.__struct_fields__}
    return GroupNode(name=name, pipeline=body, bindings=more, **fields)


def check(name: str, condition: str, **more: Any) -> CheckpointNode:
    return CheckpointNode(name=name, condition="${{ " + condition + " }}", where="p.py:9", **more)


def spec(*steps: Any, **more: Any) -> PipelineSpec:
    return PipelineSpec(name=more.pop("name", "p"), steps=steps, **more)


def options(**more: Any) -> Options:
    return Options(**more)


class TaggedArtifacts(MemoryArtifacts):
    """Shows a tagged object as the plain data inside of it, as the application's reader does."""

    def value(self, ref: ArtifactRef, index: int | None = None) -> Any:
        assert index is None or index >= 0, "only a list counts from its end"
        return _plain(super().value(ref, index))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict) and "$dataclass" in value:
        return value["$dataclass"][1]
    return value


class Past:
    """A `History` of results put in by hand."""

    def __init__(self, *results: Cached) -> None:
        self.results = list(results)
        self.before: dict[str, KeyParts] = {}
        self.walls: dict[str, float] = {}

    def lookup(self, key: str) -> list[Cached]:
        return [cached for cached in self.results if cached.key == key]

    def previous(self, pipeline: str, path: str) -> KeyParts | None:
        return self.before.get(path)

    def expected(self, pipeline: str) -> Mapping[str, float]:
        return self.walls


class Lab:
    """Plans and runs pipelines; `code`, `files` and `time` may be changed between two runs."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.artifacts = TaggedArtifacts()
        self.world = World()
        self.leases = MemoryLeases()
        self.time = 1000.0
        self.code: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.reads: dict[str, tuple[Read, ...]] = {}
        self.impure: dict[str, tuple[str, ...]] = {}
        self.fails: set[str] = set()
        self.computed: list[str] = []
        self._runs = 0

    # Deciding.

    def static(self, work: Any) -> tuple[str, Static]:
        code = (CodePart(name=work.uses, digest=self.code.get(work.uses[2:], "1"), where="m.py:1"),)
        made = Static(
            code=code, environment={}, options={}, variables={}, platform="test", semantics=1
        )
        return digest_of(made), made

    def context(self, history: Any = None, *, force: Iterable[str] = (), seed: int = 0) -> Context:
        return Context(
            pipeline="p",
            seed=seed,
            history=self.store.read if history is None else history,
            reader=self.artifacts,
            static=self.static,
            source_digest=lambda path: self.files.get(path, "absent"),
            value_digest=lambda _: "",
            class_digest=lambda _: "",
            now=lambda: self.time,
            force=frozenset(force),
        )

    def plan(self, pipeline: PipelineSpec, force: Iterable[str] = (), /, **parameters: Any) -> Plan:
        frame = Frame(spec="blake3:spec", snapshot="blake3:source", parameters=parameters)
        return build(pipeline, frame, self.context(force=force))

    def consider(
        self,
        name: str,
        pipeline: PipelineSpec,
        done: Mapping[str, Any] | None = None,
        history: Any = None,
        **context: Any,
    ) -> Decision:
        """Decide of one node; `done` maps the tasks before it to values, refs or statuses."""
        graph = flatten(pipeline, {})
        upstream = {path: self.settled(value) for path, value in (done or {}).items()}
        made = self.context(Past() if history is None else history, **context)
        return consider(graph.nodes[name], upstream, graph, made)

    def settled(self, value: Any) -> Upstream:
        """What a task with this value (or outputs, or status) is to those after it."""
        if isinstance(value, TaskStatus):
            return Upstream(status=value)
        if isinstance(value, ArtifactRef):
            return Upstream(status=TaskStatus.SUCCEEDED, outputs={"result": value})
        if (
            isinstance(value, dict)
            and value
            and all(isinstance(v, ArtifactRef) for v in value.values())
        ):
            return Upstream(status=TaskStatus.SUCCEEDED, outputs=value)
        return self.settled(self.artifacts.json_of(value))

    # Running.

    def run(self, pipeline: PipelineSpec, force: Iterable[str] = (), /, **parameters: Any) -> str:
        """Run a pipeline to its end, every decision being the engine's; return the run's id."""
        name = self._add(pipeline, parameters, tuple(sorted(force)))

        def prepare(run: Run, tx: Any) -> RunContext:
            context = self.context(tx, force=run.forced)
            return RunContext(run, RunGraph(pipeline, run.parameters), context)

        executor = ScriptedExecutor(self.world, Capacity(cpus=2))
        engine = Engine(
            self.store, executor, self.leases, _NoJournal(), prepare,  # type: ignore[arg-type]
            id=f"engine-{name}", clock=lambda: self.time, tick=lambda: self.time,
        )  # fmt: skip
        engine.start([name])
        for _ in range(500):
            if self.store.read.run(name).status in RUN_ENDED:
                return name
            for attempt, order in list(self.world.alive.items()):
                self.world.end(self._outcome(attempt, order))
            self.time += 1.0
            engine.turn(executor.wait(0))
        raise AssertionError(f"{name} does not end: {self.statuses(name)}")

    def _add(
        self, pipeline: PipelineSpec, parameters: dict[str, Any], forced: tuple[str, ...]
    ) -> str:
        self._runs += 1
        self.time += 10.0
        name = f"r{self._runs}"
        run = Run(
            id=name, pipeline="p", status=RunStatus.QUEUED, wish=Wish.RUN, snapshot="s",
            spec=digest_of(pipeline), parameters=parameters, seed=0, created=self.time,
            forced=forced,
        )  # fmt: skip
        with self.store.write() as tx:
            tx.add_run(run, canonical(pipeline))
            for uses in FUNCTIONS:
                tx.add_static(*self.static(step("x", uses)))
            insert_nodes(Turn(tx, self.time), name, RunGraph(pipeline, parameters).graph)
        return name

    def _outcome(self, attempt: str, order: Order) -> Outcome:
        uses = order.uses[2:]
        self.computed.append(order.path)
        if order.path in self.fails:
            error = TaskError(kind="ValueError", message="no")
            return Outcome(attempt=attempt, status=AttemptStatus.FAILED, error=error)
        values = {name: self.value(given) for name, given in order.inputs.items()}
        made = FUNCTIONS[uses](**values)
        ref = self.artifacts.json_of(made)
        if uses == "refs":
            ref = self.artifacts.list_of(self.artifacts.json_of(item) for item in made)
        return Outcome(
            attempt=attempt, status=AttemptStatus.SUCCEEDED, outputs={"result": ref},
            reads=self.reads.get(order.path, ()), impure=self.impure.get(order.path, ()),
            ended=self.time, usage=Usage(wall=2.0),
        )  # fmt: skip

    def value(self, given: Any) -> Any:
        """An input's value, as a worker would see it."""
        match given:
            case inputs.Literal():
                return given.value
            case inputs.Sequence():
                return [self.value(item) for item in given.items]
            case inputs.Bundle() | inputs.Mapping():
                return {name: self.value(item) for name, item in given.items.items()}
            case inputs.Stored():
                whole = given.ref.format == "list" and given.index is None
                if whole:
                    count = given.ref.count or 0
                    return [self.artifacts.value(given.ref, i) for i in range(count)]
                return self.artifacts.value(given.ref, given.index)
        return None

    # Looking.

    def tasks(self, run: str) -> dict[str, Task]:
        return {task.path: task for task in self.store.read.tasks(run)}

    def statuses(self, run: str) -> dict[str, str]:
        return {path: task.status.value for path, task in self.tasks(run).items()}

    def result(self, run: str, path: str, output: str = "result") -> Any:
        ref = self.store.read.outputs(self.tasks(run)[path].id)[output]
        return self.value(inputs.Stored(ref=ref))


def choices(plan: Plan) -> dict[str, Choice]:
    return {task.path: task.choice for task in plan.tasks}


def planned(plan: Plan, path: str) -> PlannedTask:
    return next(task for task in plan.tasks if task.path == path)


class _NoJournal:
    """Functions log nothing."""

    def has_more(self, *args: Any) -> bool:
        return False

    def ingest(self, *args: Any) -> int:
        return 0
