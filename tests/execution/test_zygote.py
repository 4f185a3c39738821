"""The zygote alone: when it must not fork, and that it does not outlive who started it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.contracts.executor_suite import World, gone, until

from mainspring.execution import wire
from mainspring.execution.executors.local_process import Worker, open_handle
from mainspring.execution.executors.local_zygote import ZygoteLink
from mainspring.execution.interpreters import own
from mainspring.execution.zygote import unsafe_to_fork


@pytest.fixture
def world(tmp_path: Path) -> World:
    def make(*_: object) -> None:
        raise AssertionError

    return World(tmp_path / "home", make)  # pyright: ignore[reportArgumentType]


def boot(world: World, snapshot: str, *modules: str) -> wire.Boot:
    return wire.Boot(
        home=str(world.home),
        blobs=world.blobs.place,
        snapshot=snapshot,
        modules=modules,
        env={},
    )


@contextmanager
def zygote(
    world: World, snapshot: str, *modules: str
) -> Iterator[tuple[ZygoteLink[str], dict[int, Worker], list[object]]]:
    link: ZygoteLink[str] = ZygoteLink(boot(world, snapshot, *modules), world.home / "z.log", own())
    workers: dict[int, Worker] = {}
    said: list[object] = []
    try:
        yield link, workers, said
    finally:
        for worker in workers.values():
            worker.close()
        link.control.close()
        until(lambda: gone(link.pid))
        os.waitpid(link.pid, 0)


def listen(
    link: ZygoteLink[str], workers: dict[int, Worker], said: list[object], kind: type
) -> None:
    """Collect what the zygote says until it says something of this kind."""

    def heard() -> bool:
        reports, _ = link.reports()
        for report, worker in reports:
            said.append(report)
            if worker is not None:
                workers[worker.pid] = worker
        return any(isinstance(report, kind) for report in said)

    until(heard)


def test_one_thread_is_safe_and_two_are_not() -> None:
    pid = os.fork()  # the test's own process may have more threads
    if pid == 0:
        go = threading.Event()
        alone = unsafe_to_fork()
        thread = threading.Thread(target=go.wait, name="pool-1", daemon=True)
        thread.start()
        why = unsafe_to_fork() or ""
        os._exit(0 if alone is None and "1 thread(s) (pool-1)" in why else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_spares_and_zygote_end_when_the_executor_hangs_up(world: World) -> None:
    with zygote(world, world.snapshot, "steps") as (link, workers, said):
        listen(link, workers, said, wire.Ready)
        link.ready = True
        link.ask_for_spares(2)
        until(lambda: (listen(link, workers, said, wire.Spare), len(workers) == 2)[1])
        handles = [open_handle(pid) for pid in workers]
        pids = list(workers)
    for pid in pids:
        until(lambda pid=pid: gone(pid))
    for handle in handles:
        if handle is not None:
            os.close(handle)


def test_an_endless_import_ends_when_the_executor_hangs_up(world: World, tmp_path: Path) -> None:
    mark = tmp_path / "importing"
    text = f"import pathlib, time\npathlib.Path({str(mark)!r}).touch()\nwhile True: time.sleep(1)\n"
    endless = world.source({"endless.py": text})
    with zygote(world, endless, "endless") as (link, _, _):
        until(mark.exists)
        assert not gone(link.pid)


def test_a_source_that_is_missing_is_said(world: World) -> None:
    with zygote(world, "blake3:" + "0" * 64, "steps") as (link, workers, said):
        listen(link, workers, said, wire.Broken)
    (broken,) = said
    assert isinstance(broken, wire.Broken)
    assert "missing" in broken.error.message


def test_a_dead_worker_is_reported_with_what_it_used(world: World) -> None:
    with zygote(world, world.snapshot) as (link, workers, said):
        listen(link, workers, said, wire.Ready)
        link.ready = True
        link.ask_for_spares(1)
        listen(link, workers, said, wire.Spare)
        (pid,) = workers
        os.kill(pid, 11)
        listen(link, workers, said, wire.Exit)
    report = said[-1]
    assert isinstance(report, wire.Exit)
    assert (report.pid, os.WTERMSIG(report.status)) == (pid, 11)
    assert report.peak_memory > 1_000_000


def test_messages_arrive_whole_however_they_are_cut() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        inbox = wire.Inbox(theirs)
        data = wire.frame(b"one") + wire.frame(b"") + wire.frame(b"x" * 300_000)

        def send() -> None:
            for start in range(0, len(data), 70_001):
                ours.sendall(data[start : start + 70_001])
            ours.close()

        thread = threading.Thread(target=send)
        thread.start()
        assert inbox.message() == b"one"
        assert inbox.message() == b""
        assert inbox.message() == b"x" * 300_000
        assert inbox.message() is None
        thread.join()
