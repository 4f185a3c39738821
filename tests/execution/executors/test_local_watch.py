from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from mainspring.execution.executors.local_process import Worker
from mainspring.execution.executors.local_watch import READABLE, WRITABLE, Watch


@pytest.fixture
def watch() -> Iterator[Watch]:
    found = Watch()
    yield found
    found.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_who_has_something_to_read_is_called(
    watch: Watch, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    heard: list[int] = []
    watch.add(ours, heard.append)
    watch.turn(0.0)
    assert heard == []
    theirs.send(b"x")
    watch.turn(10.0)
    assert heard == [READABLE]
    watch.change(ours, heard.append, write=True)
    watch.turn(10.0)
    assert heard[-1] == READABLE | WRITABLE
    watch.drop(ours)
    watch.drop(ours)
    watch.turn(0.0)
    assert len(heard) == 2


def test_a_bell_from_a_signal_handler_ends_the_turn(watch: Watch) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: watch.ring())
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    begun = time.monotonic()
    try:
        watch.turn(60.0)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert watch.rung
    assert time.monotonic() - begun < 30


def test_ringing_often_is_heard_once_and_never_blocks(watch: Watch) -> None:
    for _ in range(100_000):
        watch.ring()
    while not watch.rung:
        watch.turn(0.0)
    for _ in range(20):
        watch.turn(0.0)
    watch.rung = False
    watch.turn(0.0)
    assert not watch.rung


def test_a_worker_is_dropped_with_both_its_ends(
    watch: Watch, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    read, write = os.pipe()
    worker = Worker(os.getpid(), read, ours)
    watch.add(ours, lambda _: pytest.fail("called"))
    watch.add(read, lambda _: pytest.fail("called"))
    watch.drop_worker(worker)
    theirs.send(b"x")
    os.write(write, b"x")
    watch.turn(0.0)
    worker.close()
    worker.close()
    os.close(write)
    assert (worker.sock, worker.handle) == (None, None)
