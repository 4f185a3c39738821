from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mainspring.execution.executors.local_process import Worker, count_gpus, memory_of, open_handle


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A group of two processes: it says the id of its child, and waits for ever."""
    text = (
        "import os, sys, time\n"
        "child = os.fork()\n"
        "if child: os.write(1, b'%d\\n' % child)\n"
        "held = bytearray(64 << 20) if not child else None\n"
        "if not child: os.write(1, b'held\\n')\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, start_new_session=True
    )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def lines(process: subprocess.Popen[bytes]) -> int:
    """Wait until the child is there and holds its memory; its id."""
    assert process.stdout is not None
    said = {process.stdout.readline().strip(), process.stdout.readline().strip()}
    (child,) = said - {b"held"}
    return int(child)


@pytest.mark.parametrize("by_handle", [True, False])
def test_a_signal_reaches_the_whole_group(
    sleeper: subprocess.Popen[bytes], by_handle: bool
) -> None:
    child = lines(sleeper)
    handle, child_handle = open_handle(sleeper.pid), open_handle(child)
    assert handle is not None
    assert child_handle is not None
    worker = Worker(sleeper.pid, handle if by_handle else None)
    assert worker.alive()
    worker.signal(signal.SIGKILL)
    sleeper.wait(30)
    gone = Worker(child, child_handle)
    while gone.alive():
        pass
    assert not worker.alive()
    worker.signal(signal.SIGKILL)  # of nobody
    worker.clean_group()
    gone.close()
    if not by_handle:
        os.close(handle)
    worker.close()


def test_memory_counts_descendants(sleeper: subprocess.Popen[bytes]) -> None:
    child = lines(sleeper)
    assert memory_of(sleeper.pid) > memory_of(child) > 64 << 20


def test_a_process_that_is_not_there() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert open_handle(process.pid) is None
    assert memory_of(process.pid) == 0
    assert not Worker(process.pid, None).alive()


def test_a_long_message_is_sent_piece_by_piece() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    sender, receiver = Worker(1, None, ours), Worker(1, None, theirs)
    data = os.urandom(3_000_000)
    done = sender.send(data)
    assert not done
    while not done:
        assert receiver.receive()
        done = sender.send_more()
    sender.close()
    while receiver.receive():
        pass
    assert bytes(receiver.buffer) == data
    receiver.close()


def test_gpus_are_counted_by_their_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["nvidia0", "nvidia1", "nvidia12", "nvidiactl", "nvidia-uvm", "null", "nvidia"]
    monkeypatch.setattr(os, "listdir", lambda _: names)
    assert count_gpus() == 3
