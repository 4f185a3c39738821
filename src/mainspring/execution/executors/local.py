"""Runs attempts on this machine, each in a process of its own, forked from a warm zygote."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from mainspring.execution import interpreters, wire
from mainspring.execution.attempt_files import BUSY, AttemptFiles
from mainspring.execution.executors import local_attempt as ends
from mainspring.execution.executors import local_process as processes
from mainspring.execution.executors.local_attempt import Attempt, Ending
from mainspring.execution.executors.local_pool import Pool
from mainspring.execution.executors.local_process import Worker
from mainspring.execution.executors.local_watch import READABLE, WRITABLE, Watch
from mainspring.execution.failures import death
from mainspring.records.notebook import is_notebook
from mainspring.records.ports import BlobPlace, Capacity
from mainspring.records.runs import Order, Outcome, TaskError, Usage
from mainspring.records.status import AttemptStatus
from mainspring.records.surroundings import Surroundings

StartMethod = Literal["zygote", "spawn"]
_CONTAINED = ("mainspring.execution.contained", "docker")  # what a container's worker needs
_USUAL = Surroundings()
_LOOK = 0.1  # seconds between two looks at memory, or at an attempt that can't be watched


class _Placed(Protocol):
    @property
    def place(self) -> BlobPlace: ...


class LocalExecutor:
    """Implements records.ports.Executor for `home`, whose blobs the workers open by themselves.

    `slots` is how many attempts are meant to run at once (default: one per core). With
    start_method "spawn" every attempt is a fresh interpreter that has imported the project anew.
    `containers` is the engine for those that run in an image ("": the environment says). `python`
    is the one that runs steps: by default, the one that runs now. `conditions` are those of an
    experiment. Raises EnvironmentBuildError for a Python that can't run steps.
    """

    def __init__(
        self,
        home: Path,
        blobs: _Placed,
        *,
        slots: int | None = None,
        start_method: StartMethod = "zygote",
        environment: Mapping[str, str] | None = None,
        containers: str = "",
        python: Path | None = None,
        conditions: Surroundings = _USUAL,
    ) -> None:
        self._containers = containers
        self._home = Path(os.path.realpath(home))
        self._slots = slots or len(os.sched_getaffinity(0))
        self._environment = os.environ if environment is None else environment
        self._gpus = processes.count_gpus()
        self._attempts: dict[str, Attempt] = {}
        self._timed: dict[str, Attempt] = {}
        self._done: list[Outcome] = []
        self._next_look = 0.0
        self._watch = Watch()
        self._pool = Pool(
            self._home,
            blobs.place,
            slots=self._slots,
            fork=start_method == "zygote" and hasattr(os, "fork"),
            watch=self._watch,
            owner=self,
            interpreter=_interpreter(python, self._home, blobs.place),
            conditions=conditions,
        )

    # The port

    def capacity(self) -> Capacity:
        """Cores (or slots), GPUs and memory of this machine."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Capacity(cpus=float(self._slots), gpus=self._gpus, memory=memory)

    def prepare(self, snapshot: str, modules: Sequence[str]) -> None:
        """Start the zygote for a snapshot; it imports `modules` while this returns at once."""
        self._pool.prepare(snapshot, tuple(modules))

    def launch(self, orders: Sequence[Order]) -> None:
        """Start attempts; one whose id is known, running or finished is not started again."""
        for order in orders:
            if order.attempt not in self._attempts:
                self._launch(order)

    def wait(self, timeout: float) -> list[Outcome]:
        """Outcomes that have become durable; returns with the first, and all others there are."""
        end = time.monotonic() + timeout
        while True:
            now = time.monotonic()
            if self._timed:
                self._look_at_limits(now)
            until = now if self._done else end
            if self._timed:
                until = min(until, self._next_due())
            self._watch.turn(max(0.0, until - now))
            if self._done or self._watch.rung or time.monotonic() >= end:
                self._watch.rung = False
                done, self._done = self._done, []
                return done

    def terminate(self, attempts: Sequence[str], status: AttemptStatus) -> None:
        """Ask attempts to end, kill them two seconds later; `status` counts if they say nothing."""
        for name in attempts:
            if name not in self._attempts:
                self.adopt([name])
            attempt = self._attempts.get(name)
            if attempt is not None and attempt.ending is None:
                self._end(attempt, ends.taken_away(status, attempt.timeout))

    def adopt(self, attempts: Sequence[str]) -> None:
        """Follow attempts of another engine: running, finished, and dead ones (as lost)."""
        for name in attempts:
            if name not in self._attempts:
                self._adopt(Attempt(name, AttemptFiles(self._home, name)))

    def wake(self) -> None:
        """Make `wait` return."""
        self._watch.ring()

    def notices(self) -> list[str]:
        """What a user should know about how attempts are started; each is said once."""
        said, self._pool.notices = self._pool.notices, []
        return said

    def close(self, *, kill: bool = False) -> None:
        """Stop zygotes and spare workers; running attempts go on, or with `kill` end at once."""
        for attempt in self._attempts.values() if kill else ():
            if attempt.worker is not None:
                attempt.worker.signal(signal.SIGKILL)
        self._pool.close()
        for attempt in self._attempts.values():
            if attempt.worker is not None:
                self._forget(attempt.worker)
        self._attempts.clear()
        self._timed.clear()
        self._watch.close()

    # Launching

    def _launch(self, order: Order) -> None:
        attempt = Attempt(order.attempt, AttemptFiles(self._home, order.attempt), order)
        if attempt.files.ended() or attempt.files.holder() is not None:
            self._adopt(attempt)
            return
        env = self._variables(order)
        module = "" if is_notebook(order.uses) else order.uses.partition(":")[0]
        self._attempts[attempt.id] = attempt
        attempt.frame = wire.dispatch_frame(order, env)
        attempt.begun = time.time()
        # Until it has a worker, the limit holds for the wait for one.
        attempt.follow_limits(order.timeout, None if order.image else order.memory)
        if attempt.timed():
            self._timed[attempt.id] = attempt
        modules = _CONTAINED if order.image else (module,) if module else ()
        lock = order.lock if order.uses else None  # a program finds its own by variables
        self._pool.submit(attempt, order.snapshot, modules, env, lock)

    def on_started(self, attempt: Attempt, *, sent: bool) -> None:
        """The pool's word that an attempt has a worker."""
        worker = attempt.worker
        assert worker is not None
        assert worker.sock is not None
        attempt.begun = time.time()
        if attempt.timeout is not None:
            attempt.deadline = time.monotonic() + attempt.timeout
        self._watch.change(worker.sock, lambda mask: self._on_worker(attempt, mask), write=not sent)

    def on_refused(self, attempt: Attempt, error: TaskError) -> None:
        """The pool's word that an attempt gets no worker."""
        self._conclude(attempt, Ending(AttemptStatus.FAILED, error))

    # Workers

    def _on_worker(self, attempt: Attempt, mask: int) -> None:
        worker = attempt.worker
        if worker is None or worker.sock is None:
            return
        if mask & WRITABLE:
            with contextlib.suppress(OSError):
                if worker.send_more():
                    self._watch.change(worker.sock, lambda m: self._on_worker(attempt, m))
        if mask & READABLE:
            there = worker.receive()
            data = wire.unframe(worker.buffer)
            outcome = None if data is None else ends.told(attempt, data)
            if outcome is not None:
                self._deliver(attempt, outcome)
            elif data is not None or not there:
                # Its end is reported by the zygote, or seen by its handle.
                self._watch.drop(worker.sock)

    def on_exit(self, attempt: Attempt, report: wire.Exit) -> None:
        """The pool's word that an attempt's worker has ended."""
        code = None if os.WIFSIGNALED(report.status) else os.WEXITSTATUS(report.status)
        if code == BUSY:
            self._attempts.pop(attempt.id, None)
            self._drop(attempt)
            self._adopt(Attempt(attempt.id, attempt.files, attempt.order))
            return
        told = self._last_words(attempt)
        if told is not None:
            self._deliver(attempt, told)
            return
        usage = Usage(
            wall=time.time() - attempt.begun, cpu=report.cpu, peak_memory=report.peak_memory
        )
        ending = attempt.ending or Ending(AttemptStatus.FAILED, death(report.status))
        self._conclude(attempt, ending, usage)

    @staticmethod
    def _last_words(attempt: Attempt) -> Outcome | None:
        """The outcome that a worker sent before it ended, if it has not been read yet."""
        worker = attempt.worker
        if worker is None or worker.sock is None:
            return None
        worker.receive()
        data = wire.unframe(worker.buffer)
        return None if data is None else ends.told(attempt, data)

    def on_orphaned(self, attempt: Attempt) -> None:
        """The pool's word that nobody reports the end of an attempt's worker."""
        attempt.adopted = True
        if attempt.worker is not None:
            self._watch_process(attempt, attempt.worker)

    def _watch_process(self, attempt: Attempt, worker: Worker) -> None:
        """Learn of a process's end without being told by its zygote."""
        attempt.worker = worker
        if worker.handle is not None:
            self._watch.add(worker.handle, lambda _: self._on_process_end(attempt))
        else:
            self._timed[attempt.id] = attempt

    def _on_process_end(self, attempt: Attempt) -> None:
        if attempt.worker is not None:
            attempt.worker.clean_group()
        self._conclude(attempt, attempt.ending or ends.lost())

    # Adoption

    def _adopt(self, attempt: Attempt) -> None:
        files = attempt.files
        attempt.adopted = True
        self._attempts[attempt.id] = attempt
        pid = None if files.ended() else files.holder()
        if pid is not None and pid > 0:
            handle = processes.open_handle(pid)
            if files.holder() == pid:
                limits = files.limits()
                spent = time.time() - limits.get("started", time.time())
                memory = limits.get("memory")
                attempt.begun = limits.get("started", 0.0)
                attempt.follow_limits(
                    limits.get("timeout"), int(memory) if memory else None, max(0.0, spent)
                )
                self._watch_process(attempt, Worker(pid, handle))
                if attempt.timed():
                    self._timed[attempt.id] = attempt
                return
            if handle is not None:
                os.close(handle)
        self._settle_dead(attempt)

    def _settle_dead(self, attempt: Attempt) -> None:
        """End an attempt that nobody works on; the lock keeps a late starter from beginning."""
        attempt.files.create()
        lock = attempt.files.take_lock()
        try:
            if lock is None and not attempt.files.ended():
                self._timed[attempt.id] = attempt  # somebody has just begun: look again soon
                return
            self._conclude(attempt, attempt.ending or ends.lost())
        finally:
            if lock is not None:
                os.close(lock)

    # Ends

    def _variables(self, order: Order) -> dict[str, str]:
        """What the order's worker sees of this process's environment."""
        names = order.env
        chosen: dict[str, str] = {}
        if order.image:
            from mainspring.execution import container_engine

            names += container_engine.VARIABLES
            chosen = {container_engine.SETTING: self._containers} if self._containers else {}
        found = {name: self._environment[name] for name in names if name in self._environment}
        return found | chosen

    def _end(self, attempt: Attempt, ending: Ending, grace: float = ends.GRACE) -> None:
        attempt.ending = ending
        attempt.deadline = None
        if attempt.worker is None:
            if self._pool.withdraw(attempt):
                self._conclude(attempt, ending)
            return
        attempt.worker.signal(signal.SIGTERM if grace else signal.SIGKILL)
        attempt.kill_at = time.monotonic() + grace
        self._timed[attempt.id] = attempt

    def _conclude(self, attempt: Attempt, ending: Ending, usage: Usage | None = None) -> None:
        outcome = ends.conclude(attempt, ending, usage)
        ends.clear_container(attempt.files)
        attempt.files.remove_work()
        self._deliver(attempt, outcome)

    def _deliver(self, attempt: Attempt, outcome: Outcome) -> None:
        if self._attempts.pop(attempt.id, None) is None:
            return
        self._drop(attempt)
        self._done.append(outcome)

    def _drop(self, attempt: Attempt) -> None:
        attempt.done = True
        self._timed.pop(attempt.id, None)
        if attempt.worker is not None:
            self._forget(attempt.worker)

    # Limits

    def _next_due(self) -> float:
        due = float("inf")
        for attempt in self._timed.values():
            for moment in (attempt.deadline, attempt.kill_at):
                if moment is not None:
                    due = min(due, moment)
            if self._needs_looks(attempt):
                due = min(due, self._next_look)
        return due

    @staticmethod
    def _needs_looks(attempt: Attempt) -> bool:
        if attempt.worker is None:
            return attempt.adopted
        return bool(attempt.memory) or (attempt.adopted and attempt.worker.handle is None)

    def _look_at_limits(self, now: float) -> None:
        look = now >= self._next_look
        if look:
            self._next_look = now + _LOOK
        for attempt in list(self._timed.values()):
            if attempt.deadline is not None and now >= attempt.deadline:
                self._end(attempt, ends.timed_out(attempt.timeout))
            elif attempt.kill_at is not None and now >= attempt.kill_at:
                attempt.kill_at = now + ends.GRACE
                if attempt.worker is not None:
                    attempt.worker.signal(signal.SIGKILL)
            elif look and self._needs_looks(attempt):
                self._look_at(attempt)

    def _look_at(self, attempt: Attempt) -> None:
        worker = attempt.worker
        if worker is None:
            self._adopt(attempt)
            return
        if attempt.adopted and worker.handle is None and not worker.alive():
            self._on_process_end(attempt)
        elif attempt.memory and attempt.ending is None:
            used = processes.memory_of(worker.pid)
            if used > attempt.memory:
                self._end(attempt, ends.out_of_memory(used, attempt.memory), grace=0)

    def _forget(self, worker: Worker) -> None:
        self._watch.drop_worker(worker)
        worker.close()


def _interpreter(python: Path | None, home: Path, blobs: BlobPlace) -> interpreters.Interpreter:
    if python is None:
        return interpreters.own()
    from mainspring.execution.runtime import prepared

    return prepared(python, home, remote=bool(blobs.url))
