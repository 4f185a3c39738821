"""The verbs `run` and `resume`: put a plan on record as a run, and drive runs to rest."""

from __future__ import annotations

import secrets
import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import msgspec

from mainspring.app.planning import Planned, make_context, modules_of, work_of
from mainspring.app.project import Project
from mainspring.app.recording import record, used_by
from mainspring.execution.admission import check_fits
from mainspring.execution.context import Listener, RunContext
from mainspring.execution.engine import Engine
from mainspring.planning.expand import RunGraph
from mainspring.planning.graph import GraphNode
from mainspring.records.errors import ConflictError
from mainspring.records.plan import Choice, PlannedTask
from mainspring.records.runs import Run
from mainspring.records.spec import PipelineSpec
from mainspring.records.status import RunStatus, TaskStatus, Wish
from mainspring.records.stores import NewTask, Transaction

_specs = msgspec.json.Decoder(PipelineSpec)


def create_run(project: Project, planned: Planned, *, parent: str | None = None) -> Run:
    """Record a run and its tasks, in one transaction; what the plan reuses is settled at once."""
    now = time.time()
    plan = planned.plan
    # Before the transaction: an image may have to be built for it.
    works = list(work_of(planned.spec))
    statics = [planned.context.static(work) for work in works]
    code = project.code(plan.snapshot)
    used = used_by(code, zip(works, (static for _, static in statics), strict=True))
    run = Run(
        id=new_run_id(now),
        pipeline=plan.pipeline,
        status=RunStatus.QUEUED,
        wish=Wish.RUN,
        spec=plan.spec,
        snapshot=plan.snapshot,
        parameters=plan.parameters,
        seed=plan.seed,
        created=now,
        parent=parent,
        forced=tuple(sorted(planned.context.force)),
        sources=plan.sources,
        environment=record(project, code, used),
    )
    nodes = RunGraph(planned.spec, plan.parameters).graph.nodes
    known = {task.path: task for task in plan.tasks}
    settled = {path for path in nodes if _is_settled(known[path])}
    new = [_new_task(node, known[path], settled, now) for path, node in nodes.items()]
    with project.store.write() as tx:
        tx.add_run(run, planned.spec_bytes)
        for static in statics:
            tx.add_static(*static)
        ids = dict(zip(nodes, tx.add_tasks(run.id, new), strict=True))
        tx.add_edges([(ids[dep], ids[path]) for path, node in nodes.items() for dep in node.deps])
        if len(settled) == len(nodes):
            tx.move_run(run.id, RunStatus.RUNNING, now)
            tx.move_run(run.id, RunStatus.SUCCEEDED, now)
    return run


def _is_settled(task: PlannedTask) -> bool:
    return task.choice is Choice.REUSE and task.kind in ("step", "command")


def _new_task(node: GraphNode, task: PlannedTask, settled: set[str], now: float) -> NewTask:
    if node.path in settled:
        return NewTask(
            path=node.path,
            node=node.template,
            kind=node.kind,
            status=TaskStatus.REUSED,
            key=task.key,
            static=task.static,
            seed=task.seed,
            inputs=task.inputs,
            outputs=task.outputs,
            source=task.source,
            reason=task.reason,
            at=now,
        )
    pending = sum(dep not in settled for dep in node.deps)
    return NewTask(
        path=node.path,
        node=node.template,
        kind=node.kind,
        status=TaskStatus.PENDING if pending else TaskStatus.READY,
        pending=pending,
    )


def new_run_id(now: float) -> str:
    """Return a run id that sorts by time: `20261121-021530-k3f9q`."""
    letters = "abcdefghjkmnpqrstvwxyz23456789"
    tail = "".join(secrets.choice(letters) for _ in range(5))
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{tail}"


def check_resources(project: Project, spec: PipelineSpec) -> None:
    """Raise DefinitionError when a step asks for more than this machine has."""
    executor = project.executor()
    try:
        capacity = project.capacity(executor)
        for work in work_of(spec):
            check_fits(work.name, work.options, capacity, work.where)
    finally:
        executor.close()


def reopen(project: Project, run: Run) -> int:
    """Make a paused, failed or cancelled run runnable again; return how many tasks reopened.

    Raises ConflictError when it has succeeded.
    """
    if run.status is RunStatus.SUCCEEDED:
        raise ConflictError(
            f"run {run.id} has succeeded: there is nothing to resume",
            hint=f"`mainspring rerun {run.id}` makes a new run of it",
        )
    check_resources(project, load_spec(project, run))
    with project.store.write([run.id]) as tx:
        tx.set_wish(run.id, Wish.RUN)
        count = tx.reopen(run.id)
        tx.move_run(run.id, RunStatus.QUEUED, time.time())
    return count


def drive(
    project: Project,
    runs: Sequence[str],
    *,
    listener: Listener | None = None,
    executor: Any = None,
    on_interrupt: Callable[[], None] | None = None,
) -> dict[str, RunStatus]:
    """Work on runs, in this process, until each has ended, is paused or waits.

    Ctrl-C once pauses them cleanly; twice raises KeyboardInterrupt at once, which loses nothing
    either. `listener` is told of every transition after it was committed, `on_interrupt` (from
    a signal handler) of the first Ctrl-C.
    """
    executor = executor or project.executor()
    engine = make_engine(project, executor, listener)
    with stopping(executor, engine.interrupt, on_interrupt):
        return engine.drive(runs)


def make_engine(project: Project, executor: Any, listener: Listener | None) -> Engine:
    """Return an engine on the project's store, under a new name."""
    return Engine(
        project.store,
        executor,
        project.leases,
        project.journal,
        lambda run, tx: load_context(project, run, tx),
        id=f"engine-{secrets.token_hex(6)}",
        capacity=project.capacity(executor),
        listener=listener,
        patience=project.seconds("patience"),
    )


@contextmanager
def stopping(
    executor: Any, stop: Callable[[], None], tell: Callable[[], None] | None
) -> Generator[None]:
    """Ctrl-C in this block calls `stop` and `tell`; twice it ends what is at work, and raises
    KeyboardInterrupt. The executor is closed at the end."""
    at_once = False
    try:
        with interruptible(stop, tell):
            yield
    except KeyboardInterrupt:
        at_once = True
        raise
    finally:
        executor.close(kill=at_once)


def load_context(project: Project, run: Run, tx: Transaction) -> RunContext:
    """Return a run's context from its record: spec, snapshot, parameters, seed."""
    spec = load_spec(project, run)
    forced = frozenset(run.forced)
    context = make_context(project, run.pipeline, run.snapshot, run.seed, tx, forced)
    return RunContext(run, RunGraph(spec, run.parameters, run.sources), context)


def load_spec(project: Project, run: Run) -> PipelineSpec:
    """Return the spec that a run was made from."""
    return _specs.decode(project.store.read.spec(run.spec))


def warm_up(project: Project, planned: Planned) -> Any:
    """Return an executor that is starting up already, while the run is put on record; what steps
    need of environments is built before. Raises EnvironmentBuildError."""
    if planned.needs_workers and any(map(planned.context.lock, work_of(planned.spec))):
        from mainspring.app.environments import build_planned

        build_planned(project, planned)
    executor = project.executor()
    if planned.needs_workers:
        project.materialise(planned.plan.snapshot)
        executor.prepare(planned.plan.snapshot, modules_of(planned.spec))
    return executor


@contextmanager
def interruptible(stop: Callable[[], None], tell: Callable[[], None] | None) -> Generator[None]:
    """Ctrl-C once: a clean stop; twice: at once. Only the main thread can hear it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = False

    def hear(_number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            raise KeyboardInterrupt
        heard = True
        stop()
        if tell is not None:
            tell()

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
