"""Processes as the local executor sees them: workers, how to signal them, what memory they use."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Iterator

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Worker:
    """A worker process, spare or busy, and this side of its socket."""

    __slots__ = ("_out", "buffer", "handle", "pid", "sock")

    def __init__(self, pid: int, handle: int | None, sock: socket.socket | None = None) -> None:
        self.pid = pid
        self.handle = handle
        self.sock = sock
        self.buffer = bytearray()
        self._out = memoryview(b"")

    def send(self, data: bytes) -> bool:
        """Begin to send; True when all is sent, else go on with `send_more` when writable.

        Raises OSError when the worker is gone.
        """
        self._out = memoryview(data)
        return self.send_more()

    def send_more(self) -> bool:
        """Send what the socket takes now; True when nothing is left."""
        while self._out and self.sock is not None:
            try:
                self._out = self._out[self.sock.send(self._out) :]
            except BlockingIOError:
                return False
        return True

    def receive(self) -> bool:
        """Read what has arrived; False when the worker has closed its end."""
        while self.sock is not None:
            try:
                chunk = self.sock.recv(262144)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not chunk:
                return False
            self.buffer += chunk
            if len(chunk) < 262144:
                return True
        return False

    def alive(self) -> bool:
        """Whether the process has not ended (a zombie has)."""
        if self.handle is not None:
            poll = select.poll()
            poll.register(self.handle, select.POLLIN)
            return not poll.poll(0)
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def signal(self, number: int) -> None:
        """Send a signal to the process and all in its group, if it is still there."""
        if not self.alive():
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:  # it has not made its own group yet
                os.kill(self.pid, number)

    def clean_group(self) -> None:
        """Kill what a dead worker left in its group, where no zygote does it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let go of the socket and the handle; the process itself is left alone."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None


def open_handle(pid: int) -> int | None:
    """A pidfd for the process, or None where there is no such thing or no such process."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return None


def memory_of(pid: int) -> int:
    """Bytes of memory that a process and its descendants hold, shared pages counted once."""
    total = _resident(pid)
    for child in _descendants(pid):
        total += _proportional(child)
    return total


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _descendants(pid: int) -> Iterator[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                children = [int(word) for word in file.read().split()]
        except OSError:
            continue
        for child in children:
            yield child
            yield from _descendants(child)


def count_gpus() -> int:
    """The number of NVIDIA devices."""
    with contextlib.suppress(OSError):
        names = os.listdir("/dev")
        return sum(1 for name in names if name[:6] == "nvidia" and name[6:].isdigit())
    return 0
