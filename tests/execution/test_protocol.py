"""docs/protocol.md as a state machine: the real engine and rules, crashes between any two steps.

Several engines share one store, and the tasks of each run. At any point an engine may be killed:
before its commit, after its commit but before the launch, in the middle of launching, or between
turns. The store may go away in any turn, which is then undone, or committed without the engine's
knowing; the engine begins again. An engine may be stopped until its lease is over, and go on after
others have taken what it had. Workers log, end, fail or die on their own. After every step the
page's five invariants must hold, and at the end every run must come to the outputs that an
undisturbed run has, with everything that was logged on record once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from mainspring.execution.context import RunContext, Turn
from mainspring.execution.engine import Engine
from mainspring.execution.transitions import insert_nodes
from mainspring.planning.decide import Context
from mainspring.planning.expand import RunGraph
from mainspring.records.artifacts import ArtifactRef, Literal, Stored
from mainspring.records.artifacts import Sequence as SequenceInput
from mainspring.records.canonical import canonical, digest_bytes, digest_of
from mainspring.records.errors import StoreUnavailableError
from mainspring.records.metrics import Point
from mainspring.records.runs import Order, Outcome, Run, TaskError
from mainspring.records.source import Static
from mainspring.records.spec import (
    CheckpointNode,
    Options,
    Parameter,
    PipelineSpec,
    RepeatNode,
    StepNode,
)
from mainspring.records.status import (
    RUN_ENDED,
    TASK_SETTLED,
    AttemptStatus,
    RunStatus,
    TaskStatus,
    Wish,
)
from mainspring.testing.artifacts import MemoryArtifacts
from mainspring.testing.executor import ScriptedExecutor, World
from mainspring.testing.memory import MemoryLeases, MemoryStore

STATIC = Static(code=(), environment={}, options={}, variables={}, platform="test", semantics=1)


class Crash(Exception):
    """The engine's process is gone."""


def step(name: str, uses: str, bindings: dict[str, Any], **more: Any) -> StepNode:
    options = more.pop("options", Options(retries=2, retry_delay=0.0))
    outputs = more.pop("outputs", {"result": "any"})
    return StepNode(
        name=name, uses=f"m:{uses}", bindings=bindings, outputs=outputs, options=options, **more
    )


ROUND = PipelineSpec(
    name="round",
    parameters={"x": Parameter(type="int")},
    steps=(step("inc", "add", {"a": "${{ parameters.x }}", "b": 1}),),
    outputs={"x": "${{ steps.inc }}"},
)

PIPELINE = PipelineSpec(
    name="p",
    steps=(
        step("start", "add", {"a": 1, "b": 1}),
        step("same", "add", {"a": 1, "b": 1}, options=Options(seed=7, retries=2, retry_delay=0.0)),
        step("twin", "add", {"a": 1, "b": 1}, options=Options(seed=7, retries=2, retry_delay=0.0)),
        step("numbers", "count", {"n": "${{ steps.start }}"}),
        step("each", "add", {"a": "${{ steps.numbers }}", "b": 10}, map=("a",)),
        step("total", "sum", {"xs": "${{ steps.each }}"}),
        RepeatNode(
            name="loop", pipeline=ROUND, bindings={"x": "${{ steps.total }}"},
            until="outputs.x >= 36", max=5, carry={"x": "x"},
        ),
        step("big", "add", {"a": "${{ steps.loop.x }}", "b": 0}, when="steps.loop.x > 1000"),
        step("after_big", "add", {"a": "${{ steps.big }}", "b": 0}),
        CheckpointNode(name="check", condition="${{ steps.loop.x >= 36 }}"),
        step("last", "add", {"a": "${{ steps.loop.x }}", "b": "${{ steps.same }}"},
             after=("check",)),
    ),
)  # fmt: skip


STORE_FAILS = ("undone", "unknown")
"""How a transaction ends when the store goes away: not committed, or committed unbeknown."""


class _CrashingStore:
    """Hands out transactions that may crash, or lose the store, just before or just after their
    commit.."""

    def __init__(self, store: MemoryStore, plan: list[str]) -> None:
        self._store = store
        self._plan = plan

    @property
    def read(self) -> Any:
        return self._store.read

    @contextlib.contextmanager
    def write(self, runs: Sequence[str] = ()) -> Iterator[Any]:
        with self._store.write(runs) as tx:
            yield tx
            if self._plan == ["before commit"]:
                raise Crash
            if self._plan == ["undone"]:
                raise StoreUnavailableError("the store is away")
        if self._plan == ["after commit"]:
            raise Crash
        if self._plan == ["unknown"]:
            raise StoreUnavailableError("the store is away")
        if self._plan[:1] == ["later"]:
            del self._plan[0]


class _CrashingExecutor(ScriptedExecutor):
    def __init__(self, world: World, plan: list[str]) -> None:
        super().__init__(world)
        self._plan = plan

    def launch(self, orders: Sequence[Order]) -> None:
        if self._plan == ["in launch"]:
            super().launch(orders[: len(orders) // 2])
            raise Crash
        super().launch(orders)


class Protocol(RuleBasedStateMachine):
    """Engines, workers and a person, in any order."""

    @initialize(runs=st.integers(1, 2))
    def begin(self, runs: int) -> None:
        self.store = MemoryStore()
        self.leases = MemoryLeases()
        self.world = World()
        self.artifacts = MemoryArtifacts()
        self.engines: dict[str, tuple[Engine, list[str]]] = {}
        self.unsure: set[str] = set()
        self.logged: dict[str, int] = {}
        self.time = 1_000.0
        self.made = 0
        self.runs = [self._add_run(f"r{n}") for n in range(runs)]
        self.cancelled: set[str] = set()
        self.clean: dict[str, Any] = {}

    # The world.

    def _add_run(self, name: str) -> str:
        run = Run(
            id=name, pipeline="p", status=RunStatus.QUEUED, wish=Wish.RUN,
            spec=digest_of(PIPELINE), snapshot="s", parameters={}, seed=0, created=self.time,
        )  # fmt: skip
        with self.store.write() as tx:
            tx.add_run(run, canonical(PIPELINE))
            insert_nodes(Turn(tx, self.time), name, RunGraph(PIPELINE, {}).graph)
        return name

    def _prepare(self, run: Run, tx: Any) -> RunContext:
        context = Context(
            pipeline="p", seed=0, history=tx, reader=self.artifacts,
            static=lambda work: (digest_bytes(work.uses.encode()), STATIC),
            source_digest=lambda path: "absent", value_digest=lambda ref: "",
            class_digest=lambda name: "", now=lambda: self.time,
        )  # fmt: skip
        return RunContext(run, RunGraph(PIPELINE, {}), context)

    def _engine(self) -> str:
        plan: list[str] = []
        self.made += 1
        name = f"e{self.made}"
        engine = Engine(
            _CrashingStore(self.store, plan),  # type: ignore[arg-type]
            _CrashingExecutor(self.world, plan),
            self.leases,
            Journal(self.logged),  # type: ignore[arg-type]
            self._prepare,
            id=name,
            clock=lambda: self.time,
            tick=lambda: self.time,
        )
        self.leases.hold(name)
        self.engines[name] = (engine, plan)
        return name

    def _kill(self, name: str) -> None:
        engine, _ = self.engines.pop(name)
        for held in (engine.id, *engine._former):
            self.leases.kill(held)

    def _turn(self, name: str, *fault: str) -> None:
        engine, plan = self.engines[name]
        self.leases.hold(engine.id)  # a stopped engine that goes on renews its lease
        self.time += 10.0
        plan[:] = fault
        try:
            if name in self.unsure:
                engine.begin_again()
            elif not engine._runs:
                open_runs = [r for r in self.runs if self._status(r) not in RUN_ENDED]
                engine.start(open_runs)
            else:
                engine.turn(engine.executor.wait(0))
        except Crash:
            self._kill(name)
            self.unsure.discard(name)
        except StoreUnavailableError:
            self.unsure.add(name)
        else:
            self.unsure.discard(name)
        plan.clear()

    def _status(self, run: str) -> RunStatus:
        return self.store.read.run(run).status

    def _value(self, given: Any) -> Any:
        if isinstance(given, Literal):
            return given.value
        if isinstance(given, SequenceInput):
            return [self._value(item) for item in given.items]
        assert isinstance(given, Stored)
        if given.ref.format == "list" and given.index is None:
            return [self.artifacts.value(given.ref, i) for i in range(given.ref.count or 0)]
        return self.artifacts.value(given.ref, given.index)

    def _compute(self, order: Order) -> ArtifactRef:
        values = {name: self._value(given) for name, given in order.inputs.items()}
        made = {
            "m:add": lambda a=0, b=0: a + b,
            "m:count": lambda n=0: list(range(n + 1)),
            "m:sum": lambda xs=(): sum(xs),
        }[order.uses](**values)
        return self.artifacts.json_of(made)

    # What may happen.

    def _some_engine(self, number: int) -> str:
        names = list(self.engines)
        return names[number] if number < len(names) else self._engine()

    @rule(
        number=st.integers(0, 2),
        crash=st.sampled_from([None, None, None, "before commit", "after commit", "in launch"]),
    )
    def engine_turns(self, number: int, crash: str | None) -> None:
        self._turn(self._some_engine(number), *([crash] if crash else []))

    @rule(
        number=st.integers(0, 2),
        how=st.sampled_from(STORE_FAILS),
        later=st.sampled_from([(), (), ("later",)]),
    )
    def store_goes_away(self, number: int, how: str, later: tuple[str, ...]) -> None:
        """In the engine's next transaction, or in the one after it; it may do so again when the
        engine begins again."""
        self._turn(self._some_engine(number), *later, how)

    @precondition(lambda self: self.engines)
    @rule(number=st.integers(0, 2))
    def engine_is_stopped_for_long(self, number: int) -> None:
        """Its lease ends, its process does not."""
        names = list(self.engines)
        self.leases.kill(self.engines[names[number % len(names)]][0].id)

    @rule(turns=st.integers(1, 5))
    def all_goes_well(self, turns: int) -> None:
        """Without this, random steps seldom get far into the pipeline."""
        name = next(iter(self.engines), None) or self._engine()
        for _ in range(turns):
            self._turn(name)
            for attempt in sorted(self.world.alive):
                self._end(attempt, "done")

    @precondition(lambda self: self.engines)
    @rule()
    def engine_is_killed(self) -> None:
        self._kill(next(iter(self.engines)))

    @precondition(lambda self: self.world.alive)
    @rule(data=st.data())
    def worker_logs(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from(sorted(self.world.alive)))
        self.logged[attempt] = self.logged.get(attempt, 0) + 1

    @precondition(lambda self: self.world.alive)
    @rule(data=st.data(), how=st.sampled_from(["done", "done", "done", "raise", "die"]))
    def worker_ends(self, data: st.DataObject, how: str) -> None:
        attempt = data.draw(st.sampled_from(sorted(self.world.alive)))
        self._end(attempt, how)

    def _end(self, attempt: str, how: str) -> None:
        order = self.world.alive[attempt]
        if how == "die":
            self.world.die(attempt)
            return
        if how == "raise" and int(attempt.rpartition(".")[2]) <= 2:
            error = TaskError(kind="ValueError", message="no")
            self.world.end(Outcome(attempt=attempt, status=AttemptStatus.FAILED, error=error))
            return
        outputs = {"result": self._compute(order)}
        self.world.end(
            Outcome(attempt=attempt, status=AttemptStatus.SUCCEEDED, outputs=outputs,
                    ended=self.time)
        )  # fmt: skip

    @rule(data=st.data(), wish=st.sampled_from([Wish.PAUSE, Wish.RUN, Wish.RUN]))
    def person_wishes(self, data: st.DataObject, wish: Wish) -> None:
        run = data.draw(st.sampled_from(self.runs))
        if self._status(run) in RUN_ENDED:
            return
        with self.store.write() as tx:
            tx.set_wish(run, wish)

    @rule(data=st.data())
    def person_resumes(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.runs))
        if self._status(run) is RunStatus.SUCCEEDED:
            return
        with self.store.write() as tx:
            tx.set_wish(run, Wish.RUN)
            tx.reopen(run)
            tx.move_run(run, RunStatus.QUEUED, self.time)
        for engine, _ in self.engines.values():
            if run not in engine._runs and engine._runs:
                engine._runs.append(run)

    # What must hold.

    @invariant()
    def one_settled_attempt(self) -> None:
        for run in getattr(self, "runs", []):
            for task in self.store.read.tasks(run):
                attempts = self.store.read.attempts(task.id)
                running = [a for a in attempts if a.status is AttemptStatus.RUNNING]
                good = [a for a in attempts if a.status is AttemptStatus.SUCCEEDED]
                assert len(running) <= 1, (task.path, attempts)
                assert len(good) <= 1, (task.path, attempts)
                if task.status is TaskStatus.RUNNING:
                    assert len(running) == 1, (task.path, attempts)
                else:
                    assert not running, (task.path, task.status)
                if task.status is TaskStatus.SUCCEEDED and task.kind in ("step", "element"):
                    assert len(good) == 1, (task.path, attempts)
                if task.status is TaskStatus.REUSED and task.kind in ("step", "element"):
                    assert task.source, task.path

    @invariant()
    def nothing_runs_after_its_outcome(self) -> None:
        for attempt in getattr(self, "world", World()).started:
            run, task, number = attempt.rsplit(".", 2)
            earlier = (f"{run}.{task}.{n}" for n in range(1, int(number)))
            for other in earlier:
                outcome = self.world.outcomes.get(other)
                assert outcome is not None, f"{attempt} started while {other} had no outcome"
                assert outcome.status is not AttemptStatus.SUCCEEDED, (attempt, other)

    @invariant()
    def no_key_is_computed_twice_at_once(self) -> None:
        running = [
            task.key
            for run in getattr(self, "runs", [])
            for task in self.store.read.tasks(run)
            if task.status is TaskStatus.RUNNING
        ]
        assert len(running) == len(set(running)), running

    @invariant()
    def counts_are_true(self) -> None:
        for run in getattr(self, "runs", []):
            tasks = {task.id: task for task in self.store.read.tasks(run)}
            edges = self.store.read.edges(run)
            for task in tasks.values():
                if task.status is TaskStatus.PENDING:
                    deps = [a for a, b in edges if b == task.id]
                    left = sum(tasks[a].status not in TASK_SETTLED for a in deps)
                    assert task.pending == left > 0, (task.path, task.pending, left)
                if task.status is TaskStatus.OPEN:
                    children = [t for t in tasks.values() if t.parent == task.id]
                    left = sum(t.status not in TASK_SETTLED for t in children)
                    if task.kind == "map":
                        left += (task.total or 0) - task.expanded
                    assert task.pending == left > 0, (task.path, task.pending, left)

    @invariant()
    def ended_means_settled(self) -> None:
        for run in getattr(self, "runs", []):
            if self._status(run) in RUN_ENDED:
                states = {task.status for task in self.store.read.tasks(run)}
                assert states <= TASK_SETTLED, (run, states)

    def teardown(self) -> None:
        """Left alone, every run comes to the same end as an undisturbed one."""
        if not hasattr(self, "runs"):
            return
        for name in list(self.engines):
            self._kill(name)
        for run in self.runs:
            if self._status(run) is not RunStatus.SUCCEEDED:
                self.person_resumes_all(run)
        self._let_two_engines_finish()
        for run in self.runs:
            assert self._status(run) is RunStatus.SUCCEEDED, self._picture(run)
            values = {t.path: t for t in self.store.read.tasks(run)}
            assert self._output(values["total"].id) == 33
            assert self._output(values["loop"].id, "x") == 36
            assert self._output(values["last"].id) == 38
            assert values["big"].status is TaskStatus.SKIPPED
            assert values["after_big"].status is TaskStatus.SKIPPED
        self.one_settled_attempt()
        self.nothing_runs_after_its_outcome()
        self._everything_logged_is_on_record_once()

    def _let_two_engines_finish(self) -> None:
        names = [self._engine(), self._engine()]
        for _ in range(400):
            for name in names:
                self._turn(name)
                for attempt in sorted(self.world.alive):
                    self._end(attempt, "done")
            for run in self.runs:
                self._forgive_losses(run)
            if all(self._status(run) in RUN_ENDED for run in self.runs):
                break
        for name in names:
            self._turn(name)
            assert not self.engines[name][0]._runs, "an engine did not notice the end"
            assert not self.engines[name][0].watched

    def _forgive_losses(self, run: str) -> None:
        """A task that was lost five times in a row has failed, as it should: a person resumes."""
        if self._status(run) is RunStatus.FAILED:
            failed = [t for t in self.store.read.tasks(run) if t.status is TaskStatus.FAILED]
            assert {t.error.kind for t in failed if t.error} <= {"lost", "children"}, failed
            self.person_resumes_all(run)

    def _everything_logged_is_on_record_once(self) -> None:
        series = self.store._state.series.items()
        found = {attempt: [p.value for p in points] for (_, _, attempt, _), points in series}
        assert found == {name: list(range(count)) for name, count in self.logged.items()}

    def person_resumes_all(self, run: str) -> None:
        with self.store.write() as tx:
            tx.set_wish(run, Wish.RUN)
            tx.reopen(run)
            tx.move_run(run, RunStatus.QUEUED, self.time)

    def _output(self, task: int, name: str = "result") -> Any:
        return self.artifacts.value(self.store.read.outputs(task)[name])

    def _picture(self, run: str) -> str:
        rows = [f"{t.path} {t.status} pending={t.pending}" for t in self.store.read.tasks(run)]
        return "\n".join([str(self.store.read.run(run).status), *rows])


class Journal:
    """What scripted attempts have logged: so many points each."""

    def __init__(self, logged: dict[str, int]) -> None:
        self._logged = logged

    def has_more(self, attempt: str, offset: int) -> bool:
        return self._logged.get(attempt, 0) > offset

    def ingest(self, tx: Any, run: str, task: int, path: str, attempt: str, offset: int) -> int:
        count = self._logged.get(attempt, 0)
        if count > offset:
            points = [Point(name="n", value=n, step=None, at=0.0) for n in range(offset, count)]
            tx.add_points(run, task, attempt, points, count)
        return count


TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(max_examples=50, stateful_step_count=60, deadline=None)
TestProtocol = pytest.mark.timeout(300)(TestProtocol)
