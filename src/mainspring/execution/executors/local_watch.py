"""Waiting for many things at once: sockets and process handles, each with what to call."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from collections.abc import Callable
from typing import TypeAlias

from mainspring.execution.executors.local_process import Worker

WRITABLE = selectors.EVENT_WRITE
READABLE = selectors.EVENT_READ
Thing: TypeAlias = socket.socket | int


class Watch:
    """A selector with call-backs, and a bell that a signal handler may ring."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._bell, self._rope = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.rung = False
        self.add(self._bell, self._on_bell)

    def add(self, thing: Thing, call: Callable[[int], None]) -> None:
        """Call when something can be read from `thing`."""
        self._selector.register(thing, READABLE, call)

    def change(self, thing: Thing, call: Callable[[int], None], *, write: bool = False) -> None:
        """Call another function from now on, with `write` also when `thing` can be written to."""
        self._selector.modify(thing, READABLE | (WRITABLE if write else 0), call)

    def drop(self, thing: Thing) -> None:
        """Stop watching; what is not watched is no error."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(thing)

    def drop_worker(self, worker: Worker) -> None:
        """Stop watching a worker's socket and handle."""
        if worker.sock is not None:
            self.drop(worker.sock)
        if worker.handle is not None:
            self.drop(worker.handle)

    def turn(self, seconds: float) -> None:
        """Wait at most so long for the first event, and handle all that there are."""
        for key, mask in self._selector.select(seconds):
            key.data(mask)

    def ring(self) -> None:
        """End the present or the next turn, and set `rung`."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._rope, b"\0")

    def _on_bell(self, _: int) -> None:
        self.rung = True
        with contextlib.suppress(BlockingIOError):
            os.read(self._bell, 4096)

    def close(self) -> None:
        """Give everything back."""
        self._selector.close()
        os.close(self._bell)
        os.close(self._rope)
