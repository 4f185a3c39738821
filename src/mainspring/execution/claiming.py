"""What an engine knows of its own work, and the verb *claim*: consider what is ready, start it.

All of it is volatile: `forget` empties it, and the record fills it again (docs/protocol.md, "The
store's absence").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from mainspring.execution import transitions as rules
from mainspring.execution.admission import Admission, Grant, lacks
from mainspring.execution.context import Prepare, RunContext, Turn
from mainspring.execution.orders import make_order
from mainspring.execution.waits import Waits
from mainspring.planning.decide import Execute, Fault
from mainspring.records.errors import DefinitionError, MainspringError, StoreUnavailableError
from mainspring.records.ports import Capacity
from mainspring.records.runs import Attempt, Order, Task
from mainspring.records.status import AttemptStatus, TaskStatus, Wish

LOOK_AHEAD = 64
"""How many ready tasks are considered beyond what fits, so that reuse need not wait for room."""

MOST_A_TURN = 1000
"""About how many tasks one turn considers: others may write, and Ctrl-C be heard, in between."""

STARVING = 5.0
"""A task that has not fitted for so many seconds goes first: nothing else starts before it."""

MOST_DELAYED = 1000
"""How many retries of another process are taken up at once, the nearest first, by an engine that
has some of its own; one that has none (it has just started) takes up all."""

RECOVER_EVERY = 5.0
"""Seconds between two looks for what other engines have left."""

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


class Claiming:
    """The part of an engine that claims. Nothing here is shared: two engines that consider the
    same task both may, and `begin` lets one of them have it."""

    def __init__(
        self,
        prepare: Prepare,
        capacity: Capacity,
        *,
        id: str,
        tick: Callable[[], float],
    ) -> None:
        self.id = id
        self._prepare = prepare
        self._tick = tick
        self._runs: list[str] = []
        self._capacity = capacity
        self.forget()

    def forget(self) -> None:
        """Forget everything but which runs there are."""
        self.admission = Admission(self._capacity)
        self.watched: dict[str, Watch] = {}
        self._contexts: dict[str, RunContext] = {}
        self._held: dict[int, Held] = {}
        self._waits = Waits()
        self._timers: dict[str, float] = {}
        self._beyond: dict[str, set[str]] = {}
        self._hurry = False

    def context(self, turn: Turn, run: str) -> RunContext:
        """Return the context of a run, loading it when it is first needed."""
        found = self._contexts.get(run)
        if found is None:
            found = self._contexts[run] = self._prepare(turn.tx.get_run(run), turn.tx)
        found.context.history = turn.tx
        return found

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
            wanted = LOOK_AHEAD - len(self._held)
            found = self._ready(turn, wanted, list(self._held))
            considered += len(found)
            settled = [self._consider(turn, task, orders) for task in found]
            if len(found) < wanted and not any(settled):  # nothing more can have become ready
                break
        self._hurry = considered >= MOST_A_TURN
        return orders

    def _look_behind(self, turn: Turn, orders: list[Order]) -> None:
        """Consider what stands behind many tasks that don't fit: other steps may fit."""
        nodes = sorted({held.node for held in self._held.values()})
        for task in self._ready(turn, LOOK_AHEAD, (), nodes):
            self._consider(turn, task, orders)

    def _ready(
        self, turn: Turn, limit: int, skip: Sequence[int], without: Sequence[str] = ()
    ) -> list[Task]:
        """Ready tasks in order, but none that only another engine has the means for."""
        plain = [run for run in self._runs if run not in self._beyond]
        found = turn.tx.ready(plain, 0.0, limit, skip, without)
        for run, nodes in self._beyond.items():
            found += turn.tx.ready([run], 0.0, limit, skip, sorted({*without, *nodes}))
        return sorted(found, key=lambda task: task.id)[:limit] if self._beyond else found

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

    def _timer(self, name: str, every: float) -> bool:
        now = self._tick()
        if now < self._timers.get(name, 0.0):
            return False
        self._timers[name] = now + every
        return True

    def _consider(self, turn: Turn, task: Task, orders: list[Order]) -> bool:
        """Do what is decided of a ready task; whether that can have made others ready."""
        context = self.context(turn, task.run)
        if task.total is not None:
            rules.close_of(turn, context, task, context.graph.node(task.path))
            return True
        try:
            made = context.decide(turn.tx, task)
        except StoreUnavailableError:
            raise
        except MainspringError as error:
            made = Fault(error)
        if isinstance(made, Execute):
            self._begin(turn, context, task, made, orders)
            return False
        try:
            rules.CLAIM[type(made)](turn, context, task, made)
        except DefinitionError as error:  # the body of a repeat, flattened at its first round
            rules.fault(turn, context, task, Fault(error))
        return True

    def _begin(
        self, turn: Turn, context: RunContext, task: Task, made: Execute, orders: list[Order]
    ) -> None:
        keyed = made.keyed
        other = turn.tx.computing(keyed.key) if made.cacheable else None
        if other == "":  # another engine is just deciding on this key: the next turn asks again
            self._held[task.id] = Held(task.run, task.node, made, self._tick())
            return
        if other is not None:
            turn.tx.park(task.id, f"{other} computes the same", keyed.key)
            return
        node = context.graph.node(task.path)
        options = rules.options_of(node)
        grant = self.admission.admit(options)
        if grant is None and (lack := lacks(options, self._capacity)):
            self._leave(turn, task, lack)
            return
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

    def _leave(self, turn: Turn, task: Task, lack: str) -> None:
        """Leave the tasks of a node to engines that have what it asks for; said once."""
        nodes = self._beyond.setdefault(task.run, set())
        if task.node not in nodes:
            nodes.add(task.node)
            turn.note(task, TaskStatus.WAITING, reason=f"{lack}: left to other engines")
