"""What an engine does while its store is away."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tests.execution.rig import Rig, pipeline, step

from mainspring.execution.absence import Absence
from mainspring.records.errors import StoreUnavailableError
from mainspring.records.status import RunStatus
from mainspring.testing.memory import MemoryStore

AWAY = StoreUnavailableError("the store is away")


class Clock:
    """A wait that only moves the clock, and now and then ends before its time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> list[Any]:
        self.waits.append(seconds)
        self.now += seconds if len(self.waits) % 3 else seconds / 2
        return []


class Fails:
    """A store that is away for so many tries."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.tries = 0

    def __call__(self) -> str:
        self.tries += 1
        if self.tries <= self.times:
            raise StoreUnavailableError(f"try {self.tries}")
        return "back"


def absence(clock: Clock, said: list[str], patience: float = 100.0) -> Absence:
    return Absence(clock.wait, lambda: clock.now, patience, said.append)


def test_a_moment_of_absence_is_not_spoken_of() -> None:
    clock, said = Clock(), list[str]()
    assert absence(clock, said).outlast(AWAY, Fails(2)) == "back"
    assert clock.now < 1.0
    assert said == []


def test_a_long_absence_is_spoken_of_once_and_so_is_its_end() -> None:
    clock, said = Clock(), list[str]()
    again = Fails(12)
    assert absence(clock, said).outlast(AWAY, again) == "back"
    assert said == ["the store is not reachable; waiting for it", "the store is back"]
    assert max(clock.waits) < 5.1
    assert clock.now > 10.0


def test_patience_ends_with_the_latest_error() -> None:
    clock, said = Clock(), list[str]()
    again = Fails(10_000)
    with pytest.raises(StoreUnavailableError, match=r"try \d+") as caught:
        absence(clock, said, patience=60.0).outlast(AWAY, again)
    assert caught.value.what == f"try {again.tries}"
    assert 60.0 < clock.now < 70.0


def test_who_wants_to_stop_is_not_kept() -> None:
    clock, said = Clock(), list[str]()
    waiting = absence(clock, said)
    waiting.abandoned = True
    with pytest.raises(StoreUnavailableError):
        waiting.outlast(AWAY, Fails(10_000))
    assert clock.now < 10.0


class Unsteady:
    """A store whose next transactions end as `faults` says: undone, unknown, or (None) well."""

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.faults: list[str | None] = []

    @property
    def read(self) -> Any:
        return self.inner.read

    def close(self) -> None:
        self.inner.close()

    @contextlib.contextmanager
    def write(self, runs: Sequence[str] = ()) -> Iterator[Any]:
        fault = self.faults.pop(0) if self.faults else None
        with self.inner.write(runs) as tx:
            yield tx
            if fault == "undone":
                raise AWAY
        if fault == "unknown":
            raise AWAY


@pytest.mark.parametrize("fault", ["undone", "unknown"])
def test_an_outcome_taken_from_the_executor_is_not_lost_with_its_turn(fault: str) -> None:
    store = Unsteady()
    rig = Rig(store)
    rig.add(pipeline(step("a"), step("b", after=("a",))))
    engine = rig.started()
    rig.done("a", 1)
    store.faults = [fault]
    with pytest.raises(StoreUnavailableError):
        rig.turn(engine)
    engine.begin_again()
    rig.turn(engine)
    assert rig.attempts("a") == ["succeeded"]
    assert rig.finish(engine) is RunStatus.SUCCEEDED
    # Where the commit was not known of, b was begun but never launched: lost, and done again.
    assert rig.attempts("b") == (["succeeded"] if fault == "undone" else ["lost", "succeeded"])


def test_the_new_name_fences_the_former_one() -> None:
    store = Unsteady()
    rig = Rig(store)
    rig.add(pipeline(step("a")))
    engine = rig.started()
    store.faults = ["undone"]
    with pytest.raises(StoreUnavailableError):
        rig.turn(engine)
    engine.begin_again()
    [attempt] = store.read.running_attempts("r")
    assert (attempt.engine, attempt.epoch) == (engine.id, 2)
    assert engine.id.startswith("e1+")
    assert rig.leases.alive(engine.id)
    assert not rig.leases.alive("e1")


def test_absent_again_while_it_begins_again() -> None:
    store = Unsteady()
    rig = Rig(store)
    rig.add(pipeline(step("a"), step("b")))
    engine = rig.started()
    rig.done("a", 1)
    store.faults = ["undone", "unknown", None, "unknown"]
    for again in (lambda: rig.turn(engine), engine.begin_again, engine.begin_again):
        with pytest.raises(StoreUnavailableError):
            again()
    engine.begin_again()
    assert rig.finish(engine) is RunStatus.SUCCEEDED
    assert rig.attempts("a") == ["succeeded"]
    assert rig.attempts("b") == ["succeeded"]


def test_a_store_that_fails_inside_a_decision_fails_no_task() -> None:
    store = Unsteady()
    rig = Rig(store)
    rig.add(pipeline(step("a")))

    def away(*_: Any) -> Any:
        raise AWAY

    engine = rig.engine()
    original = engine._prepare

    def prepare(run: Any, tx: Any) -> Any:
        context = original(run, tx)
        context.context.static = away
        return context

    engine._prepare = prepare
    with pytest.raises(StoreUnavailableError):
        engine.start(["r"])
    assert rig.status("a") == "ready"
    engine._prepare = original
    engine.begin_again()
    assert rig.finish(engine) is RunStatus.SUCCEEDED


def test_drive_waits_for_the_store_and_comes_to_the_end() -> None:
    store = Unsteady()
    rig = Rig(store)
    rig.add(pipeline(step("a"), step("b", after=("a",))))
    engine = rig.engine()

    def wait(timeout: float) -> Any:
        rig.ticks += max(timeout, 0.01)
        for path in list(rig.working):
            rig.done(path, 1)
        return type(engine.executor).wait(engine.executor, timeout)  # type: ignore[arg-type]

    engine.executor.wait = wait  # type: ignore[method-assign]
    engine._absence._wait = wait
    store.faults = [None, None, "unknown", "undone", "undone", "undone", "undone", "undone"]
    assert engine.drive(["r"]) == {"r": RunStatus.SUCCEEDED}
    told = [event.reason for event in rig.events if event.kind == "store"]
    assert told == ["the store is not reachable; waiting for it", "the store is back"]
    assert "succeeded" in rig.attempts("b")


def test_five_commits_of_unknown_fate_in_a_row_are_five_losses() -> None:
    """The protocol's limit: the same task, begun and never launched, five times running."""
    store = Unsteady()
    rig = Rig(store)
    rig.add(pipeline(step("a")))
    engine = rig.engine()
    store.faults = [None, "unknown"]
    with pytest.raises(StoreUnavailableError):
        engine.start(["r"])
    for _ in range(4):
        store.faults = []
        engine.begin_again()
        store.faults = ["unknown"]
        with pytest.raises(StoreUnavailableError):
            rig.turn(engine)
    engine.begin_again()
    rig.turn(engine)
    assert rig.attempts("a") == ["lost"] * 5
    assert rig.task("a").error is not None
    assert rig.task("a").error.kind == "lost"  # type: ignore[union-attr]
