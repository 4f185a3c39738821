"""The zygotes of an executor: who gets which worker.

There is one per source snapshot, module and set of declared variables. A step's zygote imports the
step's own module and no other: what another module changes while it is imported is in no key of
this step's.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from mainspring.execution import wire
from mainspring.execution.executors.local_attempt import Attempt
from mainspring.execution.executors.local_process import Worker, open_handle
from mainspring.execution.executors.local_watch import Watch
from mainspring.execution.executors.local_zygote import ZygoteLink
from mainspring.execution.interpreters import Interpreter, builder
from mainspring.records.environments import Lock
from mainspring.records.ports import BlobPlace
from mainspring.records.runs import TaskError
from mainspring.records.surroundings import Surroundings
from mainspring.storage.places import access_to

Link = ZygoteLink[Attempt]
Key = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...], str]
_ZYGOTES = 4
_CRASHES = 3
_USUAL = Surroundings()
_SLOWER = "every task starts a fresh interpreter, which is slower"


class Owner(Protocol):
    """What the pool tells the executor of an attempt."""

    def on_started(self, attempt: Attempt, *, sent: bool) -> None:
        """It has a worker; `sent` is False while part of its order has yet to be sent."""
        ...

    def on_exit(self, attempt: Attempt, report: wire.Exit) -> None:
        """Its worker has ended."""
        ...

    def on_orphaned(self, attempt: Attempt) -> None:
        """Its worker's zygote is gone: nobody else will say when the worker ends."""
        ...

    def on_refused(self, attempt: Attempt, error: TaskError) -> None:
        """It gets no worker."""
        ...


class Pool:
    """Starts zygotes, keeps the few used last, and gives each attempt a worker of the right one."""

    def __init__(
        self,
        home: Path,
        blobs: BlobPlace,
        *,
        slots: int,
        fork: bool,
        watch: Watch,
        owner: Owner,
        interpreter: Interpreter,
        conditions: Surroundings = _USUAL,
    ) -> None:
        self._conditions = conditions
        self._interpreter = interpreter
        self._home = home
        self._blobs = blobs
        self._slots = slots
        self._fork = fork
        self._watch = watch
        self._owner = owner
        self._links: dict[Key, Link] = {}
        self._crashes: dict[str, int] = {}
        self._fresh: set[str] = set()
        self._graves: set[int] = set()
        self.notices: list[str] = []

    def prepare(self, snapshot: str, modules: tuple[str, ...]) -> None:
        """Start the zygotes of the modules that come first, if there are none."""
        for module in modules[: _ZYGOTES - 1]:
            self._link_for(snapshot, (module,), {}, None)

    def submit(
        self,
        attempt: Attempt,
        snapshot: str,
        modules: tuple[str, ...],
        env: Mapping[str, str],
        lock: Lock | None = None,
    ) -> None:
        """Give the attempt a worker, now or when there is one.

        Declared variables have a zygote of their own: a module may read them while it is imported.
        So has the environment of a lock.
        """
        link = self._link_for(snapshot, modules, dict(env), lock)
        link.waiting.append(attempt)
        self._match(link)

    def withdraw(self, attempt: Attempt) -> bool:
        """Take back an attempt that has no worker yet; False when it has."""
        for link in self._links.values():
            if attempt in link.waiting:
                link.waiting.remove(attempt)
                return True
        return False

    def close(self) -> None:
        """Stop all zygotes and spare workers."""
        while self._links:
            self._hang_up(self._links.popitem()[1])
        self._bury(patience=2.0)

    # Orders and workers

    def _match(self, link: Link) -> None:
        """Give waiting orders to spare workers, and have more of these made."""
        while link.waiting and link.spares:
            self._hand_over(link, link.waiting.popleft(), link.spares.popleft())
        link.ask_for_spares(min(max(self._slots, 2), len(link.busy) + 1))

    def _hand_over(self, link: Link, attempt: Attempt, worker: Worker) -> None:
        try:
            sent = worker.send(attempt.frame)
        except OSError:  # it died while it waited
            self._forget(worker)
            link.waiting.appendleft(attempt)
            return
        attempt.worker = worker
        attempt.starts += 1
        link.busy[worker.pid] = attempt
        link.served += 1
        self._owner.on_started(attempt, sent=sent)

    def _forget(self, worker: Worker) -> None:
        self._watch.drop_worker(worker)
        worker.close()

    def _on_spare(self, link: Link, worker: Worker) -> None:
        """A worker without an order says nothing: it has died."""
        self._forget(worker)
        with contextlib.suppress(ValueError):
            link.spares.remove(worker)
        self._match(link)

    def _on_exit(self, link: Link, report: wire.Exit) -> None:
        attempt = link.busy.pop(report.pid, None)
        if attempt is None or attempt.done:
            return
        if link.boot.fork and attempt.unbegun():
            if attempt.worker is not None:
                self._forget(attempt.worker)
            attempt.worker = None
            link.waiting.append(attempt)
            return
        self._owner.on_exit(attempt, report)

    # Zygotes

    def _link_for(
        self, snapshot: str, modules: tuple[str, ...], env: dict[str, str], lock: Lock | None
    ) -> Link:
        key = (snapshot, modules, tuple(sorted(env.items())), lock.digest if lock else "")
        link = self._links.pop(key, None)
        if link is None:
            self._make_room()
            link = self._start(snapshot, modules, env, lock)
        self._links[key] = link  # at the end: the least recently used is first
        return link

    def _start(
        self, snapshot: str, modules: tuple[str, ...], env: dict[str, str], lock: Lock | None
    ) -> Link:
        boot = wire.Boot(
            home=str(self._home),
            blobs=self._blobs,
            snapshot=snapshot,
            modules=modules,
            env=env,
            fork=self._fork and snapshot not in self._fresh,
            access=access_to(self._blobs, os.environ),
            lock=lock,
            conditions=self._conditions,
        )
        log = self._home / "zygotes" / f"{snapshot.rpartition(':')[2][:16]}.log"
        start = self._interpreter.zygote(os.environ) if lock is None else builder(os.environ)
        link = Link(boot, log, start)
        self._watch.add(link.control, lambda _: self._on_zygote(link))
        return link

    def _make_room(self) -> None:
        for key, link in list(self._links.items()):
            if len(self._links) < _ZYGOTES:
                return
            if not link.busy and not link.waiting:
                self._hang_up(self._links.pop(key))

    def _on_zygote(self, link: Link) -> None:
        reports, there = link.reports()
        for report, worker in reports:
            self._take_report(link, report, worker)
        if not there:
            self._on_zygote_gone(link)

    def _take_report(self, link: Link, report: wire.FromZygote, worker: Worker | None) -> None:
        match report:
            case wire.Spare():
                assert worker is not None
                assert worker.sock is not None
                self._watch.add(worker.sock, lambda _: self._on_spare(link, worker))
                link.spares.append(worker)
            case wire.Exit():
                self._on_exit(link, report)
            case wire.Ready():
                link.ready = True
            case wire.Unsafe():
                self._fresh.add(link.boot.snapshot)
                self.notices.append(f"{_SLOWER}: {report.why}")
                link.restart_fresh()
            case wire.Broken():
                self._refuse(link, report.error)
        self._match(link)

    def _on_zygote_gone(self, link: Link) -> None:
        """Go on without it: running workers are watched directly, waiting orders go elsewhere."""
        key = next((key for key, value in self._links.items() if value is link), None)
        self._hang_up(link)
        for attempt in link.busy.values():
            if not attempt.done:
                self._owner.on_orphaned(attempt)
        if key is None:
            return
        del self._links[key]
        snapshot = link.boot.snapshot
        crashes = self._crashes[snapshot] = 0 if link.served else self._crashes.get(snapshot, 0) + 1
        if link.boot.fork and not link.ready and snapshot not in self._fresh:
            self._fresh.add(snapshot)
            self.notices.append(f"{_SLOWER}: importing the project's modules ended the process")
        if crashes > _CRASHES:
            self._refuse(link, link.breakdown())
        elif link.waiting or link.ready:
            successor = self._links[key] = self._start(
                snapshot, link.boot.modules, link.boot.env, link.boot.lock
            )
            successor.waiting.extend(link.waiting)

    def _refuse(self, link: Link, error: TaskError) -> None:
        waiting = list(link.waiting)
        link.waiting.clear()
        for attempt in waiting:
            self._owner.on_refused(attempt, error)

    def _hang_up(self, link: Link) -> None:
        self._watch.drop(link.control)
        link.close(self._watch.drop_worker)
        self._graves.add(link.pid)
        self._bury()

    def _bury(self, patience: float = 0.0) -> None:
        """Reap zygotes that were told to end; with patience, kill those that don't."""
        for pid in list(self._graves):
            if patience and (handle := open_handle(pid)) is not None:
                poll = select.poll()
                poll.register(handle, select.POLLIN)
                if not poll.poll(patience * 1000):
                    os.kill(pid, signal.SIGKILL)
                    poll.poll(1000)
                os.close(handle)
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            self._graves.discard(pid)
