"""Who gets which worker: real zygotes, and an owner that writes down what it is told."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.executor_suite import World

from mainspring.execution import wire
from mainspring.execution.attempt_files import AttemptFiles
from mainspring.execution.executors.local_attempt import Attempt
from mainspring.execution.executors.local_pool import Pool
from mainspring.execution.executors.local_watch import Watch
from mainspring.execution.interpreters import own
from mainspring.records.runs import TaskError

ROUNDS = 600  # of a tenth of a second


class Owner:
    def __init__(self) -> None:
        self.started: list[Attempt] = []
        self.exits: dict[str, wire.Exit] = {}
        self.orphans: list[Attempt] = []
        self.refused: dict[str, TaskError] = {}

    def on_started(self, attempt: Attempt, *, sent: bool) -> None:
        assert sent
        self.started.append(attempt)

    def on_exit(self, attempt: Attempt, report: wire.Exit) -> None:
        self.exits[attempt.id] = report
        attempt.done = True

    def on_orphaned(self, attempt: Attempt) -> None:
        self.orphans.append(attempt)

    def on_refused(self, attempt: Attempt, error: TaskError) -> None:
        self.refused[attempt.id] = error


class Rig:
    def __init__(self, home: Path, *, fork: bool = True) -> None:
        self.world = World(home, lambda *_: None)  # type: ignore[arg-type, return-value]
        self.owner = Owner()
        self.watch = Watch()
        self.pool = Pool(
            home, self.world.blobs.place, slots=2, fork=fork, watch=self.watch,
            owner=self.owner, interpreter=own(),
        )  # fmt: skip

    def attempt(self, step: str, **fields: Any) -> Attempt:
        order = self.world.order(step, **fields)
        files = AttemptFiles(self.world.home, order.attempt)
        return Attempt(order.attempt, files, order, wire.dispatch_frame(order, {}))

    def submit(self, attempt: Attempt, module: str = "steps", **env: str) -> Attempt:
        assert attempt.order is not None
        self.pool.submit(attempt, attempt.order.snapshot, (module,), env)
        return attempt

    def until(self, condition: Callable[[], object]) -> None:
        for _ in range(ROUNDS):
            if condition():
                return
            self.watch.turn(0.1)
        raise AssertionError("it never came")

    @property
    def zygotes(self) -> list[int]:
        return [link.pid for link in self.pool._links.values()]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    found = Rig(tmp_path)
    yield found
    found.pool.close()
    found.watch.close()


def test_an_attempt_gets_a_worker_and_its_end_is_told(rig: Rig) -> None:
    attempt = rig.submit(rig.attempt("add", x=1))
    rig.until(lambda: rig.owner.exits)
    assert rig.owner.started == [attempt]
    assert os.waitstatus_to_exitcode(rig.owner.exits[attempt.id].status) == 0
    outcome = attempt.files.read()
    assert outcome is not None
    assert rig.world.value(outcome) == 2


def test_a_zygote_for_each_module_and_set_of_variables(rig: Rig) -> None:
    for env in ({}, {}, {"A": "1"}, {"A": "2"}, {"A": "1"}):
        rig.submit(rig.attempt("add", x=1), **env)
    rig.until(lambda: len(rig.owner.exits) == 5)
    assert len(rig.zygotes) == 3


def test_only_the_zygotes_used_last_are_kept(rig: Rig) -> None:
    for number in range(6):
        rig.submit(rig.attempt("add", x=1), A=str(number))
        rig.until(lambda: len(rig.owner.exits) == number + 1)  # noqa: B023
    kept = [dict(env)["A"] for _, _, env, _ in rig.pool._links]
    assert kept == ["2", "3", "4", "5"]


def test_what_waits_can_be_withdrawn_and_what_runs_cannot(rig: Rig) -> None:
    attempt = rig.submit(rig.attempt("add", x=1))
    assert rig.pool.withdraw(attempt)
    assert not rig.pool.withdraw(attempt)
    other = rig.submit(rig.attempt("add", x=1))
    rig.until(lambda: other.worker)
    assert not rig.pool.withdraw(other)
    rig.until(lambda: rig.owner.exits)
    assert list(rig.owner.exits) == [other.id]


def test_a_spare_that_died_is_replaced(rig: Rig) -> None:
    rig.submit(rig.attempt("add", x=1))
    rig.until(lambda: rig.owner.exits)
    (link,) = rig.pool._links.values()
    rig.until(lambda: link.spares)
    pid = link.spares[0].pid
    os.kill(pid, signal.SIGKILL)
    rig.until(lambda: link.spares and all(worker.pid != pid for worker in link.spares))
    rig.submit(rig.attempt("add", x=1))
    rig.until(lambda: len(rig.owner.exits) == 2)


def test_a_zygote_that_is_killed_orphans_who_works_and_serves_who_waits_elsewhere(
    rig: Rig, tmp_path: Path
) -> None:
    mark, go = tmp_path / "mark", tmp_path / "go"
    working = rig.submit(rig.attempt("wait_for", mark=str(mark), go=str(go)))
    rig.until(mark.exists)
    (first,) = rig.zygotes
    os.kill(first, signal.SIGKILL)
    rig.until(lambda: rig.owner.orphans)
    assert rig.owner.orphans == [working]
    other = rig.submit(rig.attempt("add", x=1))
    rig.until(lambda: other.id in rig.owner.exits)
    assert rig.zygotes != [first]
    go.touch()
    rig.until(working.files.ended)
    assert working.worker is not None
    working.worker.close()


def test_a_zygote_that_never_comes_up_is_given_up(rig: Rig) -> None:
    rude = "import os, sys\nprint('no way', file=sys.stderr, flush=True)\nos._exit(3)\n"
    snapshot = rig.world.source({"rude.py": rude})
    attempt = rig.submit(rig.attempt("x", module="rude", snapshot=snapshot), "rude")
    rig.until(lambda: rig.owner.refused or rig.owner.exits)
    assert any("importing the project's modules ended the process" in n for n in rig.pool.notices)
    assert attempt.id in {*rig.owner.refused, *rig.owner.exits}


def test_a_snapshot_that_is_gone_is_refused(rig: Rig) -> None:
    attempt = rig.submit(rig.attempt("add", snapshot="blake3:" + "0" * 64))
    rig.until(lambda: rig.owner.refused)
    assert rig.owner.refused[attempt.id].message


def test_why_it_is_slow_is_said_once(rig: Rig) -> None:
    text = (
        "import threading, time\nfrom mainspring.definition.step import step\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        "@step\ndef f() -> int:\n    return 1\n"
    )
    snapshot = rig.world.source({"busy.py": text})
    for _ in range(2):
        rig.submit(rig.attempt("f", module="busy", snapshot=snapshot), "busy")
    rig.until(lambda: len(rig.owner.exits) == 2)
    (notice,) = rig.pool.notices
    assert notice.startswith("every task starts a fresh interpreter, which is slower: ")
    assert "thread" in notice


def test_closing_ends_all_zygotes(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.pool.prepare(rig.world.snapshot, ("steps", "late"))
    pids = rig.zygotes
    assert len(pids) == 2
    rig.pool.close()
    rig.watch.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
