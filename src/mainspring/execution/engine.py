"""The engine: claim what is ready, launch it, settle what ended; one transaction a turn.

The whole loop is `drive`. What may move where is in transitions.py, taking over from dead engines
in recovery.py, the law in docs/protocol.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from mainspring.execution import transitions as rules
from mainspring.execution.admission import Admission, Grant
from mainspring.execution.context import Listener, Prepare, RunContext, Turn
from mainspring.execution.journal import Journal
from mainspring.execution.orders import make_order
from mainspring.execution.recovery import take_over
from mainspring.execution.waits import Waits
from mainspring.planning.decide import Execute, Fault
from mainspring.records.errors import DefinitionError, MainspringError
from mainspring.records.ports import Capacity, Executor
from mainspring.records.runs import Attempt, Order, Outcome, Task
from mainspring.records.status import AttemptStatus, RunStatus, TaskStatus, Wish
from mainspring.records.stores import Leases, Store, Transaction

LOOK_AHEAD = 64
"""How many ready tasks are considered beyond what fits, so that reuse need not wait for room."""

PATIENCE = 0.2
"""Seconds between two looks at the store for what others wrote (wishes, woken tasks)."""

MOST_A_TURN = 1000
"""About how many tasks one turn considers: others may write, and Ctrl-C be heard, in between."""

STARVING = 5.0
"""A task that has not fitted for so many seconds goes first: nothing else starts before it."""

MOST_DELAYED = 1000
"""How many retries of another process are taken up at once, the nearest first, by an engine that
has some of its own; one that has none (it has just started) takes up all."""

INGEST_EVERY = 0.4
RECOVER_EVERY = 5.0
_EVER = float("inf")


class Watch(msgspec.Struct):
    """A running attempt of this engine; `offset` is how much of its journal is ingested."""

    attempt: str
    task: int
    run: str
    epoch: int
    path: str
    grant: Grant | None = None
    offset: int = 0
    taken_away: bool = False


class Held(msgspec.Struct):
    """A ready task that was considered and must run, but did not fit, and since when."""

    run: str
    node: str
    made: Execute
    since: float


class Engine:
    """Drives runs to rest. One thread; `interrupt` may be called from a signal handler."""

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
    ) -> None:
        self.id = id
        self.store = store
        self.executor = executor
        self.leases = leases
        self.journal = journal
        self.admission = Admission(capacity or executor.capacity())
        self.watched: dict[str, Watch] = {}
        self._prepare = prepare
        self._clock = clock
        self._tick = tick
        self._listener = listener
        self._contexts: dict[str, RunContext] = {}
        self._held: dict[int, Held] = {}
        self._waits = Waits()
        self._runs: list[str] = []
        self._interrupted = False
        self._hurry = False
        self._timers = {"look": 0.0, "ingest": 0.0, "recover": 0.0, "delayed": 0.0}

    # The loop.

    def drive(self, runs: Sequence[str]) -> dict[str, RunStatus]:
        """Work until each of these runs has ended, is paused or waits; return their statuses."""
        self.leases.hold(self.id)
        try:
            rest = self.start(runs)
            while self._runs:
                rest |= self.turn(self.executor.wait(self._patience()))
            return rest
        finally:
            self.leases.release(self.id)

    def start(self, runs: Sequence[str]) -> dict[str, RunStatus]:
        """Take up runs, take over from dead engines, and do a first turn."""
        self._runs = list(runs)
        with self.store.write(runs) as tx:
            now = self._clock()
            for run in runs:
                tx.set_driver(run, self.id)
                tx.move_run(run, RunStatus.RUNNING, now)
        return self.turn([])

    def turn(self, outcomes: Sequence[Outcome]) -> dict[str, RunStatus]:
        """Settle these outcomes and claim what is ready, in one transaction; then launch.

        Returns the runs that came to rest.
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
            orders = self._claim(turn, look=look)
            for run in self._runs if look or not orders else ():
                rules.end_run(turn, run)
        self._after(turn, orders, adopted, taken)
        return turn.ended_runs

    def interrupt(self) -> None:
        """Ask for a clean stop: runs are paused, running attempts taken back."""
        self._interrupted = True
        self.executor.wake()

    def _after(self, turn: Turn, orders: list[Order], adopted: list[str], taken: list[str]) -> None:
        """What follows the commit: launches first, then the telling."""
        if orders:
            self.executor.launch(orders)
        if adopted:
            self.executor.adopt(adopted)
        if taken:
            self.executor.terminate(taken, AttemptStatus.CANCELLED)
        self._runs = [run for run in self._runs if run not in turn.ended_runs]
        if self._listener is not None:
            for event in turn.events:
                self._listener(event)

    def _patience(self) -> float:
        if self._hurry:
            return 0.0
        left = (self._waits.next() or _EVER) - self._tick()
        return PATIENCE if left <= 0 else min(PATIENCE, left)  # at 0 or below: it waits for room

    def _timer(self, name: str, every: float) -> bool:
        now = self._tick()
        if now < self._timers[name]:
            return False
        self._timers[name] = now + every
        return True

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

    # Claim.

    def _claim(self, turn: Turn, *, look: bool) -> list[Order]:
        orders: list[Order] = []
        self._hurry = False
        for task, delay in turn.delays.items():
            self._waits.add(task, self._tick() + delay)
        for held in sorted(self._held, key=lambda task: (self._held[task].since, task)):
            if self.admission.full:
                break
            since = self._held[held].since
            self._retry(turn, held, since, orders)
            if held in self._held and self._tick() - since > STARVING:
                return orders
        if len(self._held) > LOOK_AHEAD // 2 and not look:
            return orders
        if look and len(self._held) >= LOOK_AHEAD:
            self._look_behind(turn, orders)
        considered = self._claim_delayed(turn, orders)
        while len(self._held) < LOOK_AHEAD and considered < MOST_A_TURN:
            rules.grow_maps(turn, self._runs, lambda run: self.context(turn, run))
            skip = list(self._held)
            found = turn.tx.ready(self._runs, 0.0, LOOK_AHEAD - len(self._held), skip)
            if not found:
                break
            considered += len(found)
            for task in found:
                self._consider(turn, task, orders)
        self._hurry = considered >= MOST_A_TURN
        return orders

    def _look_behind(self, turn: Turn, orders: list[Order]) -> None:
        """Consider what stands behind many tasks that don't fit: other steps may fit."""
        nodes = sorted({held.node for held in self._held.values()})
        for task in turn.tx.ready(self._runs, 0.0, LOOK_AHEAD, (), nodes):
            self._consider(turn, task, orders)

    def _retry(self, turn: Turn, held: int, since: float, orders: list[Order]) -> None:
        """Start a held task if it fits now, and nothing has changed since it was considered."""
        made = self._held.pop(held).made
        task = turn.tx.task(held)
        if task.status is not TaskStatus.READY:  # another engine has taken it meanwhile
            return
        if turn.tx.get_run(task.run).wish is not Wish.RUN:
            return
        if made.cacheable and turn.tx.lookup(made.keyed.key):
            self._consider(turn, task, orders)
        else:
            self._begin(turn, self.context(turn, task.run), task, made, orders)
        if held in self._held:
            self._held[held].since = since

    def _claim_delayed(self, turn: Turn, orders: list[Order]) -> int:
        """Consider retries whose wait is over, by this engine's own clock: a wall clock that jumps
        can shorten a wait that began in another process, but never lengthen one. How many."""
        if self._timer("delayed", RECOVER_EVERY):
            most = MOST_DELAYED if self._waits else 1 << 62
            for task in turn.tx.delayed(self._runs, _EVER, most):
                if task.id not in self._waits and task.id not in self._held:
                    self._waits.add(task.id, self._tick() + self._left(turn, task))
        considered = 0
        while len(self._held) < LOOK_AHEAD and considered < MOST_A_TURN:
            due = self._waits.pop_due(self._tick())
            if due is None:
                break
            considered += 1
            task = turn.tx.task(due)
            free = task.run in self._runs and turn.tx.get_run(task.run).wish is Wish.RUN
            if free and task.status is TaskStatus.READY and due not in self._held:
                self._consider(turn, task, orders)
        return considered

    def _left(self, turn: Turn, task: Task) -> float:
        options = rules.options_of(self.context(turn, task.run).graph.node(task.path))
        longest = 1.25 * rules.longest_wait(options.retry_delay, max(1, task.tries))
        return max(0.0, min((task.not_before or 0.0) - turn.now, longest))

    def _consider(self, turn: Turn, task: Task, orders: list[Order]) -> None:
        context = self.context(turn, task.run)
        if task.total is not None:
            rules.close_of(turn, context, task, context.graph.node(task.path))
            return
        try:
            made = context.decide(turn.tx, task)
        except MainspringError as error:
            made = Fault(error)
        if isinstance(made, Execute):
            self._begin(turn, context, task, made, orders)
            return
        try:
            rules.CLAIM[type(made)](turn, context, task, made)
        except DefinitionError as error:  # the body of a repeat, flattened at its first round
            rules.fault(turn, context, task, Fault(error))

    def _begin(
        self, turn: Turn, context: RunContext, task: Task, made: Execute, orders: list[Order]
    ) -> None:
        keyed = made.keyed
        other = turn.tx.computing(keyed.key) if made.cacheable else None
        if other is not None:
            turn.tx.park(task.id, f"{other} computes the same", keyed.key)
            return
        node = context.graph.node(task.path)
        grant = self.admission.admit(rules.options_of(node))
        if grant is None:
            self._held[task.id] = Held(task.run, task.node, made, self._tick())
            return
        order = make_order(context.run, task, node, keyed, grant)
        attempt = Attempt(
            id=order.attempt,
            task=task.id,
            run=task.run,
            number=task.attempts + 1,
            status=AttemptStatus.RUNNING,
            engine=self.id,
            epoch=1,
            started=turn.now,
        )
        # A retry runs for the reason that the first attempt ran.
        reason = made.reason if task.attempts == 0 else task.reason or made.reason
        if not turn.tx.begin(attempt, keyed.key, keyed.static, keyed.seed, keyed.digests, reason):
            self.admission.give_back(grant)
            return
        self.watched[order.attempt] = Watch(order.attempt, task.id, task.run, 1, task.path, grant)
        orders.append(order)
        turn.note(task, TaskStatus.RUNNING, reason=reason, attempt=order.attempt)

    # What goes on beside.

    def context(self, turn: Turn, run: str) -> RunContext:
        """Return the context of a run, loading it when it is first needed."""
        found = self._contexts.get(run)
        if found is None:
            found = self._contexts[run] = self._prepare(turn.tx.get_run(run), turn.tx)
        found.context.history = turn.tx
        return found

    def _recover(self, turn: Turn) -> list[str]:
        taken = take_over(turn.tx, self.leases, self.id)
        return [attempt.id for attempt in taken if self._watch(turn, attempt)]

    def _watch(self, turn: Turn, attempt: Attempt) -> bool:
        """Watch an attempt of another engine; False if its run can't be loaded (from a snapshot
        that is gone, say): that must not stop the runs of this engine."""
        task = turn.tx.task(attempt.task)
        try:
            node = self.context(turn, attempt.run).graph.node(task.path)
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
            if watch is not None:
                watch.offset = self.journal.ingest(
                    tx, watch.run, watch.task, watch.path, name, watch.offset
                )
