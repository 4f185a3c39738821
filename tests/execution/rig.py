"""Real engines on a store, with workers and clocks that a test moves by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mainspring.execution.context import Event, RunContext, Turn
from mainspring.execution.engine import Engine
from mainspring.execution.transitions import insert_nodes
from mainspring.planning.decide import Context
from mainspring.planning.expand import RunGraph
from mainspring.records.artifacts import Absent, ArtifactRef, Input, Literal, Stored
from mainspring.records.artifacts import Sequence as SequenceInput
from mainspring.records.canonical import canonical, digest_bytes, digest_of
from mainspring.records.ports import Capacity
from mainspring.records.runs import Order, Outcome, Run, Task, TaskError, Usage
from mainspring.records.source import Static
from mainspring.records.spec import Options, PipelineSpec, StepNode
from mainspring.records.status import RUN_ENDED, AttemptStatus, RunStatus, Wish
from mainspring.records.stores import Store
from mainspring.testing.artifacts import MemoryArtifacts
from mainspring.testing.executor import ScriptedExecutor, World
from mainspring.testing.memory import MemoryLeases, MemoryStore

STATIC = Static(code=(), environment={}, options={}, variables={}, platform="test", semantics=1)
RAISED = TaskError(kind="ValueError", message="no", where="steps.py:3", hint="say yes")


def step(step_name: str, bindings: dict[str, Any] | None = None, **more: Any) -> StepNode:
    """A step of its own; options (`retries=2`) may stand beside the fields of a node."""
    fields = {key: more.pop(key) for key in list(more) if key in StepNode.__struct_fields__}
    return StepNode(
        name=step_name, uses=fields.pop("uses", f"m:{step_name}"), bindings=bindings or {},
        outputs=fields.pop("outputs", {"result": "any"}), options=Options(**more), **fields,
    )  # fmt: skip


def pipeline(*steps: Any, **more: Any) -> PipelineSpec:
    return PipelineSpec(name=more.pop("name", "p"), steps=steps, **more)


class Crash(BaseException):
    """The engine's process is gone: nothing may catch it."""


class NoJournal:
    """Scripted attempts log nothing."""

    def has_more(self, attempt: str, offset: int) -> bool:
        return False

    def ingest(self, tx: Any, run: str, task: int, path: str, attempt: str, offset: int) -> int:
        return 0


class CrashingStore:
    """Crashes just before or just after the commit, when it is told to."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.crash: str | None = None

    @property
    def read(self) -> Any:
        return self._store.read

    def close(self) -> None:
        self._store.close()

    @contextlib.contextmanager
    def write(self, runs: Sequence[str] = ()) -> Iterator[Any]:
        with self._store.write(runs) as tx:
            yield tx
            if self.crash == "before":
                raise Crash
        if self.crash == "after":
            raise Crash


class Rig:
    """A store, a world of scripted workers, two clocks, and engines to drive by turns."""

    def __init__(self, store: Store | None = None, **capacity: Any) -> None:
        self.store = CrashingStore(store or MemoryStore())
        self.world = World()
        self.leases = MemoryLeases()
        self.artifacts = MemoryArtifacts()
        self.capacity = Capacity(**{"cpus": 2.0, "memory": 1 << 30, **capacity})
        self.wall = 1_000_000.0
        self.ticks = 0.0
        self.specs: dict[str, PipelineSpec] = {}
        self.forced: dict[str, frozenset[str]] = {}
        self.events: list[Event] = []
        self.taken: list[tuple[str, AttemptStatus]] = []
        self.impure: set[str] = set()
        self.on_prepare: Callable[[Run], None] = lambda _: None

    # Runs and engines.

    def add(self, spec: PipelineSpec, run: str = "r", **parameters: Any) -> str:
        """Put a run on record as `app` does, with nothing reused beforehand."""
        self.specs[run] = spec
        record = Run(
            id=run, pipeline=spec.name, status=RunStatus.QUEUED, wish=Wish.RUN,
            spec=digest_of(spec), snapshot="s", parameters=parameters, seed=0,
            created=self.wall + len(self.specs),
        )  # fmt: skip
        with self.store.write() as tx:
            tx.add_run(record, canonical(spec))
            insert_nodes(Turn(tx, self.wall), run, RunGraph(spec, parameters).graph)
        return run

    def _prepare(self, run: Run, tx: Any) -> RunContext:
        self.on_prepare(run)
        context = Context(
            pipeline=run.pipeline, seed=run.seed, history=tx, reader=self.artifacts,
            static=lambda work: (digest_bytes(getattr(work, "uses", "").encode()), STATIC),
            source_digest=lambda _: "absent", value_digest=lambda _: "",
            class_digest=lambda _: "", now=lambda: self.wall,
            force=self.forced.get(run.id, frozenset()),
        )  # fmt: skip
        return RunContext(run, RunGraph(self.specs[run.id], run.parameters), context)

    def engine(self, name: str = "e1", *, journal: Any = None) -> Engine:
        """An engine that is alive, with an executor of its own on the one world."""
        rig = self

        class Executor(ScriptedExecutor):
            def terminate(self, attempts: Sequence[str], status: AttemptStatus) -> None:
                rig.taken += [(attempt, status) for attempt in attempts]
                super().terminate(attempts, status)

        self.leases.hold(name)
        return Engine(
            self.store,
            Executor(self.world, self.capacity),
            self.leases,
            journal or NoJournal(),
            self._prepare,
            id=name,
            clock=lambda: self.wall,
            tick=lambda: self.ticks,
            listener=self.events.append,
        )

    def started(self, *runs: str, name: str = "e1", **more: Any) -> Engine:
        """A new engine that has done its first turn."""
        engine = self.engine(name, **more)
        engine.start(runs or ["r"])
        return engine

    def turn(self, engine: Engine, seconds: float = 1.0) -> dict[str, RunStatus]:
        """Let time pass on both clocks, and do a turn."""
        self.wall += seconds
        self.ticks += seconds
        return engine.turn(engine.executor.wait(0))

    def kill(self, engine: Engine) -> None:
        self.leases.kill(engine.id)

    def crash(self, engine: Engine, when: str) -> None:
        """Let the engine die in its next turn, around the commit."""
        self.store.crash = when
        try:
            self.turn(engine)
        except Crash:
            self.kill(engine)
        else:
            raise AssertionError("it did not crash")
        finally:
            self.store.crash = None

    # Workers.

    @property
    def working(self) -> dict[str, str]:
        """Attempts at work, by the task's path (with the run's name before it, unless `r`)."""
        return {
            order.path if order.run == "r" else f"{order.run}/{order.path}": attempt
            for attempt, order in self.world.alive.items()
        }

    def order(self, path: str) -> Order:
        return self.world.alive[self.working[path]]

    def done(self, path: str, value: Any = None, **outputs: Any) -> None:
        """A worker ends well."""
        attempt = self.working[path]
        made = outputs or {"result": value}
        refs = {name: self._ref(item) for name, item in made.items()}
        impure = ("a file outside",) if path in self.impure else ()
        self.world.end(
            Outcome(
                attempt=attempt, status=AttemptStatus.SUCCEEDED, outputs=refs, ended=self.wall,
                usage=Usage(wall=1.0), impure=impure,
            )
        )  # fmt: skip

    def _ref(self, value: Any) -> ArtifactRef:
        return value if isinstance(value, ArtifactRef) else self.artifacts.json_of(value)

    def fail(self, path: str, status: AttemptStatus = AttemptStatus.FAILED) -> None:
        attempt = self.working[path]
        self.world.end(Outcome(attempt=attempt, status=status, error=RAISED, ended=self.wall))

    def die(self, path: str) -> None:
        self.world.die(self.working[path])

    def finish(self, engine: Engine, compute: Callable[[Order], Any] | None = None) -> RunStatus:
        """Let every worker end well until the engine's first run rests; its status."""
        run = engine._runs[0]
        for _ in range(2_000):
            for path in list(self.working):
                self.done(path, compute(self.order(path)) if compute else path)
            rest = self.turn(engine)
            if run in rest:
                return rest[run]
        raise AssertionError(self.states(run))

    def values(self, order: Order) -> dict[str, Any]:
        """What a worker would call its step with."""
        return {name: self._value(given) for name, given in order.inputs.items()}

    def _value(self, given: Input) -> Any:
        if isinstance(given, Literal):
            return given.value
        if isinstance(given, SequenceInput):
            return [self._value(item) for item in given.items]
        if isinstance(given, Absent):
            return None
        assert isinstance(given, Stored), given
        if given.ref.format == "list" and given.index is None:
            count = len(self.artifacts.elements(given.ref))
            return [self.artifacts.value(given.ref, n) for n in range(count)]
        return self.artifacts.value(given.ref, given.index)

    # What is on record.

    def task(self, path: str, run: str = "r") -> Task:
        return self.store.read.find_task(run, path)

    def status(self, path: str, run: str = "r") -> str:
        return self.task(path, run).status.value

    def states(self, run: str = "r") -> dict[str, str]:
        return {task.path: task.status.value for task in self.store.read.tasks(run)}

    def run_status(self, run: str = "r") -> RunStatus:
        return self.store.read.run(run).status

    def attempts(self, path: str, run: str = "r") -> list[str]:
        found = self.store.read.attempts(self.task(path, run).id)
        return [attempt.status.value for attempt in found]

    def output(self, path: str, name: str = "result", run: str = "r") -> Any:
        ref = self.store.read.outputs(self.task(path, run).id)[name]
        return self._value(Stored(ref=ref))

    def wish(self, wish: Wish, run: str = "r") -> None:
        with self.store.write() as tx:
            tx.set_wish(run, wish)

    def reopen(self, run: str = "r") -> int:
        """What `resume` writes."""
        with self.store.write() as tx:
            tx.set_wish(run, Wish.RUN)
            count = tx.reopen(run)
            tx.move_run(run, RunStatus.QUEUED, self.wall)
        return count

    def ended(self, run: str = "r") -> bool:
        return self.run_status(run) in RUN_ENDED
