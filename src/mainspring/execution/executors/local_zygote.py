"""The executor's side of a zygote: starting it, its spare workers, and orders waiting for one."""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from mainspring.execution import wire
from mainspring.execution.executors.local_process import Worker
from mainspring.execution.interpreters import Start
from mainspring.records.runs import TaskError

_CONTROL = 3

T = TypeVar("T")


class ZygoteLink(Generic[T]):
    """A running zygote. `waiting` are attempts without a worker yet, `spares` the reverse."""

    def __init__(self, boot: wire.Boot, log: Path, start: Start) -> None:
        self.boot = boot
        self._log = log
        self.ready = False
        self.served = 0
        self.waiting: deque[T] = deque()
        self.spares: deque[Worker] = deque()
        self.busy: dict[int, T] = {}
        self._asked = 0
        self._out: deque[bytes] = deque()
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self.pid = _start(theirs, log, start, boot.conditions.hash_seed)
        finally:
            theirs.close()
        self.control.setblocking(False)
        self._send(wire.packet(boot))

    def ask_for_spares(self, wanted: int) -> None:
        """Have workers made until `wanted` more than the waiting attempts need are there."""
        missing = wanted + len(self.waiting) - len(self.spares) - self._asked
        if self.ready and missing > 0:
            self._asked += missing
            self._send(wire.packet(wire.Fork(count=missing)))

    def restart_fresh(self) -> None:
        """Tell a zygote that found itself unsafe to go on with fresh interpreters."""
        self.boot = _fresh(self.boot)
        self._send(wire.packet(self.boot))

    def reports(self) -> tuple[list[tuple[wire.FromZygote, Worker | None]], bool]:
        """What the zygote has said, with the workers that came along; False when it is gone."""
        found: list[tuple[wire.FromZygote, Worker | None]] = []
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.control, wire.PACKET, 2)
            except BlockingIOError:
                return found, True
            except OSError:
                return found, False
            if not data:
                return found, False
            # Python's recv_fds leaves out its flags: what another zygote inherits stays open in it.
            for fd in fds:
                os.set_inheritable(fd, False)
            report = wire.read_report(data)
            worker = None
            if isinstance(report, wire.Spare):
                self._asked = max(0, self._asked - 1)
                sock = socket.socket(fileno=fds[0])
                sock.setblocking(False)
                worker = Worker(report.pid, fds[1] if len(fds) > 1 else None, sock)
            found.append((report, worker))

    def breakdown(self) -> TaskError:
        """Why no worker can be started: the last words of the zygote."""
        with contextlib.suppress(OSError):
            words = self._log.read_text("utf-8", "replace").splitlines()[-5:]
            said = "\n".join(words)
            return TaskError(
                kind="worker", message=f"no worker can be started: {said}".rstrip(": ")
            )
        return TaskError(kind="worker", message="no worker can be started")

    def _send(self, data: bytes) -> None:
        self._out.append(data)
        self.flush()

    def flush(self) -> bool:
        """Send what is queued; True when nothing is left."""
        while self._out:
            try:
                self.control.send(self._out[0])
            except BlockingIOError:
                return False
            except OSError:  # it is gone; that is seen when reading
                self._out.clear()
                break
            self._out.popleft()
        return True

    def close(self, on_spare: Callable[[Worker], None]) -> None:
        """Hang up: the zygote and its spare workers end, workers with an order go on."""
        self.control.close()
        while self.spares:
            worker = self.spares.pop()
            on_spare(worker)
            worker.close()


def _fresh(boot: wire.Boot) -> wire.Boot:
    return msgspec.structs.replace(boot, fork=False)


def _start(control: socket.socket, log: Path, start: Start, hash_seed: int) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    write = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND
    fd = control.fileno()
    with contextlib.ExitStack() as stack:
        if fd == _CONTROL:
            # A dup2 to itself would leave it closed at exec.
            fd = os.dup(fd)
            stack.callback(os.close, fd)
        return os.posix_spawn(
            start.words[0],
            start.words,
            {**start.environment, "PYTHONHASHSEED": str(hash_seed)},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), write, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                (os.POSIX_SPAWN_DUP2, fd, _CONTROL),
            ],
            setsid=True,
        )
