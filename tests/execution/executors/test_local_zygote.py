from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contracts.executor_suite import World

from mainspring.execution import wire
from mainspring.execution.executors.local_process import Worker
from mainspring.execution.executors.local_zygote import ZygoteLink
from mainspring.execution.interpreters import own


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, lambda *_: None)  # type: ignore[arg-type, return-value]


class Zygote:
    """A link, and what came over it."""

    def __init__(self, world: World, source: str, module: str) -> None:
        boot = wire.Boot(
            home=str(world.home), blobs=world.blobs.place, snapshot=source, modules=(module,),
            env={},
        )  # fmt: skip
        self.link: ZygoteLink[str] = ZygoteLink(boot, world.home / "zygotes" / "log", own())
        self.said: list[wire.FromZygote] = []
        self.there = True

    def until(self, kind: type) -> object:
        """Wait for a report of this kind; a spare worker is kept in the link."""
        poll = select.poll()
        poll.register(self.link.control, select.POLLIN)
        while self.there:
            assert poll.poll(60_000), self.link.breakdown()
            reports, self.there = self.link.reports()
            for report, worker in reports:
                self.said.append(report)
                if worker is not None:
                    self.link.spares.append(worker)
            found = [report for report in self.said if isinstance(report, kind)]
            if found:
                return found[-1]
        raise AssertionError(self.link.breakdown())

    def close(self) -> None:
        self.link.close(lambda _: None)
        os.waitpid(self.link.pid, 0)


@pytest.fixture
def zygote(world: World) -> Iterator[Zygote]:
    found = Zygote(world, world.snapshot, "steps")
    yield found
    found.close()


def test_spares_are_asked_for_once(zygote: Zygote) -> None:
    zygote.link.ask_for_spares(2)  # not ready yet: nothing is asked
    zygote.until(wire.Ready)
    zygote.link.ready = True
    for _ in range(3):
        zygote.link.ask_for_spares(2)
    while len(zygote.link.spares) < 2:
        zygote.said = [r for r in zygote.said if not isinstance(r, wire.Spare)]
        zygote.until(wire.Spare)
    zygote.link.ask_for_spares(2)
    poll = select.poll()
    poll.register(zygote.link.control, select.POLLIN)
    assert poll.poll(50) == []
    pids = {worker.pid for worker in zygote.link.spares}
    assert len(pids) == 2
    assert all(worker.alive() for worker in zygote.link.spares)


def test_an_order_that_waits_asks_for_a_worker_more(zygote: Zygote) -> None:
    zygote.until(wire.Ready)
    zygote.link.ready = True
    zygote.link.waiting.append("an attempt")
    zygote.link.ask_for_spares(0)
    spare = zygote.until(wire.Spare)
    assert isinstance(spare, wire.Spare)
    assert zygote.link.spares[0].pid == spare.pid


def test_a_death_is_reported_with_its_status(zygote: Zygote) -> None:
    zygote.until(wire.Ready)
    zygote.link.ready = True
    zygote.link.ask_for_spares(1)
    zygote.until(wire.Spare)
    worker = zygote.link.spares[0]
    os.kill(worker.pid, signal.SIGKILL)
    report = zygote.until(wire.Exit)
    assert isinstance(report, wire.Exit)
    assert report.pid == worker.pid
    assert os.WTERMSIG(report.status) == signal.SIGKILL
    assert not worker.alive()


def test_hanging_up_ends_the_zygote_and_its_spares(world: World) -> None:
    zygote = Zygote(world, world.snapshot, "steps")
    zygote.until(wire.Ready)
    zygote.link.ready = True
    zygote.link.ask_for_spares(1)
    zygote.until(wire.Spare)
    pid = zygote.link.spares[0].pid
    handle = os.pidfd_open(pid)
    seen: list[Worker] = []
    zygote.link.close(seen.append)
    os.waitpid(zygote.link.pid, 0)
    assert [worker.pid for worker in seen] == [pid]
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    assert poll.poll(60_000)
    os.close(handle)


def test_a_module_that_starts_a_thread_makes_it_unsafe_and_it_goes_on_fresh(world: World) -> None:
    text = (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    zygote = Zygote(world, world.source({"busy.py": text}), "busy")
    unsafe = zygote.until(wire.Unsafe)
    assert isinstance(unsafe, wire.Unsafe)
    assert "thread" in unsafe.why
    zygote.link.restart_fresh()
    assert not zygote.link.boot.fork
    zygote.until(wire.Ready)
    zygote.close()


def test_importing_usual_libraries_leaves_it_safe_to_fork(world: World) -> None:
    text = "import numpy, pandas, pyarrow, sklearn.linear_model\n"
    zygote = Zygote(world, world.source({"usual.py": text}), "usual")
    zygote.until(wire.Ready)
    assert zygote.link.boot.fork
    zygote.close()


def test_a_snapshot_that_is_not_there_is_said(world: World) -> None:
    zygote = Zygote(world, "blake3:" + "0" * 64, "steps")
    broken = zygote.until(wire.Broken)
    assert isinstance(broken, wire.Broken)
    assert broken.error.message
    zygote.close()


def test_a_zygote_that_dies_leaves_its_last_words(world: World) -> None:
    text = "import os, sys\nprint('my last words', file=sys.stderr, flush=True)\nos._exit(3)\n"
    zygote = Zygote(world, world.source({"rude.py": text}), "rude")
    with pytest.raises(AssertionError):
        zygote.until(wire.Ready)
    error = zygote.link.breakdown()
    assert error.kind == "worker"
    assert "my last words" in error.message
    zygote.link.ready = True
    zygote.link.ask_for_spares(3)  # to nobody: no error
    zygote.close()
