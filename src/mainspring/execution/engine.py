"""The engine: claim what is ready, launch it, settle what ended; one transaction a turn.

The whole loop is `drive`, or `serve` for runs that others have put on record. What may move where
is in transitions.py, claiming in claiming.py, taking over from dead engines in recovery.py, what
happens while the store is away in absence.py, the law in docs/protocol.md.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence

from mainspring.execution import transitions as rules
from mainspring.execution.absence import PATIENCE as STORE_PATIENCE
from mainspring.execution.absence import Absence
from mainspring.execution.claiming import RECOVER_EVERY, Claiming, Watch
from mainspring.execution.context import Event, Listener, Prepare, Turn
from mainspring.execution.journal import Journal
from mainspring.execution.recovery import take_over
from mainspring.records.errors import MainspringError, StoreUnavailableError
from mainspring.records.ports import Capacity, Executor
from mainspring.records.runs import Attempt, Order, Outcome
from mainspring.records.status import RUN_ENDED, AttemptStatus, RunStatus, TaskStatus, Wish
from mainspring.records.stores import Leases, Store, Transaction

PATIENCE = 0.2
"""Seconds between two looks at the store for what others wrote (wishes, woken tasks, new runs)."""

INGEST_EVERY = 0.4
AT_ONCE = 8
"""How many runs are taken up in one go, and only while there is room for their tasks."""

_EVER = float("inf")

Find = Callable[[], Sequence[str]]
"""Names the runs that are to be worked on, the oldest first."""


class Engine(Claiming):
    """Drives runs to rest. One thread; `interrupt` and `drain` may be called from a signal
    handler. `patience` is how many seconds an absence of the store is waited out."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        leases: Leases,
        journal: Journal,
        prepare: Prepare,
        *,
        id: str,
        capacity: Capacity | None = None,
        clock: Callable[[], float] = time.time,
        tick: Callable[[], float] = time.monotonic,
        listener: Listener | None = None,
        patience: float = STORE_PATIENCE,
    ) -> None:
        super().__init__(prepare, capacity or executor.capacity(), id=id, tick=tick)
        self.store = store
        self.executor = executor
        self.leases = leases
        self.journal = journal
        self._clock = clock
        self._listener = listener
        self._interrupted = False
        self._draining = False
        self._former: list[str] = []
        self._refused: dict[str, MainspringError] = {}
        self._absence = Absence(self.executor.wait, tick, patience, self._say)

    # The loop.

    def drive(self, runs: Sequence[str]) -> dict[str, RunStatus]:
        """Work until each of these runs has ended, is paused or waits; return their statuses.

        Raises StoreUnavailableError when the store stays away for longer than `patience`.
        """
        self._hold()
        try:
            rest = self._lasting(lambda: self.start(runs))
            while self._runs:
                outcomes = self.executor.wait(self._patience())
                rest |= self._lasting(lambda o=outcomes: self.turn(o))
            return rest
        finally:
            self.leases.release(self.id)

    def serve(self, find: Find, *, until_idle: bool = False) -> dict[str, RunStatus]:
        """Work on the runs that `find` names, and on those that it will name, until `drain` (or,
        `until_idle`, until none is left); return the statuses of those that came to rest."""
        self._hold()
        rest: dict[str, RunStatus] = {}
        outcomes: list[Outcome] = []
        try:
            while True:
                rest |= self._lasting(lambda o=outcomes: self.round(find, o))
                at_work = self.watched if self._draining else self.watched or self._runs
                if not at_work and (self._draining or until_idle):
                    return rest
                outcomes = self.executor.wait(self._patience())
        finally:
            self.leases.release(self.id)

    def start(self, runs: Sequence[str]) -> dict[str, RunStatus]:
        """Take up runs, take over from dead engines, and do a first turn."""
        self._runs = list(dict.fromkeys((*self._runs, *runs)))
        with self.store.write(sorted(runs)) as tx:
            now = self._clock()
            for run in runs:
                status = tx.get_run(run).status
                if status in RUN_ENDED:  # another engine has been quicker: the turn will tell
                    continue
                self._be_driver(tx, run)
                if status is not RunStatus.RUNNING:
                    tx.move_run(run, RunStatus.RUNNING, now)
        return self.turn([])

    def round(self, find: Find, outcomes: Sequence[Outcome]) -> dict[str, RunStatus]:
        """A turn of an engine that serves: take up what is new, then work on what there is."""
        rest: dict[str, RunStatus] = {}
        if self._timer("find", PATIENCE) and not (self._draining or self._full()):
            known = {*self._runs, *self._refused}
            new = [run for run in find() if run not in known][:AT_ONCE]
            loadable = [run for run in new if self._is_loadable(run)]
            if loadable:
                rest = self.start(loadable)
        if outcomes or self._runs or self.watched:
            rest |= self.turn(outcomes)
        return rest

    def turn(self, outcomes: Sequence[Outcome]) -> dict[str, RunStatus]:
        """Settle these outcomes and claim what is ready, in one transaction; then launch.

        Returns the runs that came to rest. After StoreUnavailableError only `begin_again` may
        follow: what memory holds may not be what is on record.
        """
        look = self._timer("look", PATIENCE) or not outcomes
        moved = {*self._runs, *(watch.run for watch in self.watched.values())}
        with self.store.write(sorted(moved)) as tx:
            turn = Turn(tx, self._clock())
            adopted = self._recover(turn) if self._timer("recover", RECOVER_EVERY) else []
            self._ingest(tx, [o.attempt for o in outcomes])
            for outcome in outcomes:
                self._settle(turn, outcome)
            taken = self._heed_wishes(turn) if look or self._interrupted else []
            if look:
                turn.tx.wake_stale(self._runs)
            orders = [] if self._draining else self._claim(turn, look=look)
            for run in self._runs if look or not orders else ():
                rules.end_run(turn, run)
        self._after(turn, orders, adopted, taken)
        return turn.ended_runs

    def begin_again(self) -> dict[str, RunStatus]:
        """Go on after a turn that failed, as an engine does that takes over from a dead one.

        This engine forgets everything, and takes a new name: whatever of the failed turn is still
        on its way into the store belongs to the former one, whose attempts are taken over. Only
        then is the former lease given back, so that nobody else takes them meanwhile.
        """
        self.forget()
        self._former.append(self.id)
        self.id = f"{self.id.partition('+')[0]}+{secrets.token_hex(3)}"
        self.leases.hold(self.id)
        rest = self.start(self._runs)
        while self._former:
            self.leases.release(self._former.pop())
        return rest

    def interrupt(self) -> None:
        """Ask for a clean stop: runs are paused, running attempts taken back."""
        self._interrupted = self._absence.abandoned = True
        self.executor.wake()

    def drain(self) -> None:
        """Ask for an end that disturbs no run: nothing more is claimed, attempts at work end."""
        self._draining = self._absence.abandoned = True
        self.executor.wake()

    def _lasting(self, work: Callable[[], dict[str, RunStatus]]) -> dict[str, RunStatus]:
        try:
            return work()
        except StoreUnavailableError as error:
            return self._absence.outlast(error, self.begin_again)

    def _hold(self) -> None:
        """Take the first lease, if the store is there, or once it is."""
        try:
            self.leases.hold(self.id)
        except StoreUnavailableError as error:
            self._absence.outlast(error, lambda: self.leases.hold(self.id))

    def _say(self, text: str) -> None:
        if self._listener is not None:
            self._listener(Event(run="", path=None, status="waiting", kind="store", reason=text))

    def _after(self, turn: Turn, orders: list[Order], adopted: list[str], taken: list[str]) -> None:
        """What follows the commit: launches first, then the telling."""
        if orders:
            self.executor.launch(orders)
        if adopted:
            self.executor.adopt(adopted)
        if taken:
            self.executor.terminate(taken, AttemptStatus.CANCELLED)
        self._runs = [run for run in self._runs if run not in turn.ended_runs]
        for run in turn.ended_runs:
            self._beyond.pop(run, None)
            self._contexts.pop(run, None)
        if self._listener is not None:
            for event in turn.events:
                self._listener(event)

    def _patience(self) -> float:
        if self._hurry:
            return 0.0
        left = (self._waits.next() or _EVER) - self._tick()
        return PATIENCE if left <= 0 else min(PATIENCE, left)  # at 0 or below: it waits for room

    # Settle.

    def _settle(self, turn: Turn, outcome: Outcome) -> None:
        watch = self.watched.pop(outcome.attempt, None)
        if watch is None:
            return
        if watch.grant is not None:
            self.admission.give_back(watch.grant)
        task = turn.tx.finish(outcome.attempt, self.id, watch.epoch, outcome)
        if task is None or task.status is not TaskStatus.RUNNING:
            return
        rules.SETTLE[outcome.status](turn, self.context(turn, task.run), task, outcome)
        if task.run not in self._runs:
            rules.end_run(turn, task.run)

    def _heed_wishes(self, turn: Turn) -> list[str]:
        """Carry out pause and cancel: which attempts are to be taken away now."""
        taken: list[str] = []
        adopted = (watch.run for watch in self.watched.values())
        for run in dict.fromkeys((*self._runs, *adopted)):
            wish = turn.tx.get_run(run).wish
            if self._interrupted and wish is Wish.RUN and run in self._runs:
                turn.tx.set_wish(run, Wish.PAUSE)
            if wish is Wish.CANCEL or (self._interrupted and run in self._runs):
                mine = [w for w in self.watched.values() if w.run == run and not w.taken_away]
                taken += [watch.attempt for watch in mine]
                for watch in mine:
                    watch.taken_away = True
            if wish is not Wish.RUN or self._interrupted:
                self._held = {t: task for t, task in self._held.items() if task.run != run}
        return taken

    # What goes on beside.

    def _full(self) -> bool:
        return self.admission.full or bool(self._held)

    def _is_loadable(self, run: str) -> bool:
        """Whether a run's spec and source are in reach; one bad run must not stop the others."""
        try:
            with self.store.write() as tx:
                self.context(Turn(tx, self._clock()), run)
        except StoreUnavailableError:
            raise
        except MainspringError as error:
            self._refused[run] = error
            self._say(f"run {run} can't be worked on here: {error.what}")
            return False
        return True

    def _be_driver(self, tx: Transaction, run: str) -> None:
        """Put this engine's name on a run that no living engine has its name on: for display."""
        driver = self.store.read.driver(run)
        if driver is None or not self.leases.alive(driver):
            tx.set_driver(run, self.id)

    def _recover(self, turn: Turn) -> list[str]:
        for run in self._runs:
            if turn.tx.get_run(run).status not in RUN_ENDED:
                self._be_driver(turn.tx, run)
        taken = take_over(turn.tx, self.leases, self.id, self._former)
        return [attempt.id for attempt in taken if self._watch(turn, attempt)]

    def _watch(self, turn: Turn, attempt: Attempt) -> bool:
        """Watch an attempt of another engine; False if its run can't be loaded (from a snapshot
        that is gone, say): that must not stop the runs of this engine."""
        task = turn.tx.task(attempt.task)
        try:
            node = self.context(turn, attempt.run).graph.node(task.path)
        except StoreUnavailableError:
            raise
        except MainspringError:
            return False
        grant = self.admission.occupy(rules.options_of(node))
        self.watched[attempt.id] = Watch(
            attempt.id,
            attempt.task,
            attempt.run,
            attempt.epoch,
            task.path,
            grant,
            turn.tx.points_offset(attempt.id),
        )
        return True

    def _ingest(self, tx: Transaction, ended: list[str]) -> None:
        """Move what steps logged into the store: of ended attempts all, of running ones what is
        there, now and then."""
        names = list(self.watched) if self._timer("ingest", INGEST_EVERY) else ended
        for name in names:
            watch = self.watched.get(name)
            if watch is not None and self.journal.has_more(name, watch.offset):
                # From where the record ends: who has taken the attempt over may have gone on.
                start = tx.points_offset(name)
                watch.offset = self.journal.ingest(
                    tx, watch.run, watch.task, watch.path, name, start
                )
