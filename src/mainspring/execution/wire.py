"""What an executor, its zygote and its workers say to each other over local sockets.

Executor and worker speak over a stream: eight bytes of length, then the message. Executor and
zygote speak in packets: one message each, with file descriptors where a worker is handed over.
"""

from __future__ import annotations

import socket
import struct
from typing import TypeAlias

import msgspec

from mainspring.records.environments import Lock
from mainspring.records.ports import BlobPlace
from mainspring.records.runs import Order, TaskError
from mainspring.records.surroundings import Surroundings

_LENGTH = struct.Struct("!Q")
PACKET = 128 * 1024


class Dispatch(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An order on its way to a worker, beside the values of its declared environment variables."""

    order: Order
    env: dict[str, str]


class Boot(msgspec.Struct, frozen=True, kw_only=True, tag="boot"):
    """What a zygote is for: one source snapshot, under one set of environment variables.

    `fork` is False for a zygote that only starts and reaps fresh interpreters. `access` is what
    our own code needs to open remote blobs: it has secrets, and never becomes environment. `lock`
    is that of the environment to be in, where that is not the executor's own.
    """

    home: str
    blobs: BlobPlace
    snapshot: str
    modules: tuple[str, ...]
    env: dict[str, str]
    fork: bool = True
    access: dict[str, str] = {}
    lock: Lock | None = None
    conditions: Surroundings = Surroundings()

    def __repr__(self) -> str:
        return f"Boot(snapshot={self.snapshot!r}, fork={self.fork})"


class Fork(msgspec.Struct, frozen=True, kw_only=True, tag="fork"):
    """Make `count` more spare workers."""

    count: int


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The zygote has imported what was asked for and takes requests."""


class Unsafe(msgspec.Struct, frozen=True, kw_only=True, tag="unsafe"):
    """The zygote must not fork, and why; it waits for a Boot with `fork=False`."""

    why: str


class Broken(msgspec.Struct, frozen=True, kw_only=True, tag="broken"):
    """The zygote can't serve this snapshot at all (its source is missing, for example)."""

    error: TaskError


class Spare(msgspec.Struct, frozen=True, kw_only=True, tag="spare"):
    """A worker that waits for its order; its socket and (Linux) its pidfd come along."""

    pid: int


class Exit(msgspec.Struct, frozen=True, kw_only=True, tag="exit"):
    """A worker and all that it started are gone: wait status, CPU seconds, peak bytes."""

    pid: int
    status: int
    cpu: float
    peak_memory: int


ToZygote: TypeAlias = Boot | Fork
FromZygote: TypeAlias = Ready | Unsafe | Broken | Spare | Exit

_encode = msgspec.msgpack.Encoder().encode
read_request = msgspec.msgpack.Decoder(ToZygote).decode
read_report = msgspec.msgpack.Decoder(FromZygote).decode
read_dispatch = msgspec.msgpack.Decoder(Dispatch).decode


def packet(message: ToZygote | FromZygote) -> bytes:
    """Encode one message of the executor and the zygote."""
    return _encode(message)


def frame(data: bytes) -> bytes:
    """Put the length before a message of a stream."""
    return _LENGTH.pack(len(data)) + data


def dispatch_frame(order: Order, env: dict[str, str]) -> bytes:
    """Encode an order and its environment for a worker's socket."""
    return frame(_encode(Dispatch(order=order, env=env)))


def unframe(buffer: bytes | bytearray) -> bytes | None:
    """The first whole message in `buffer`, or None when it has not all arrived."""
    if len(buffer) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack_from(buffer)
    end = _LENGTH.size + length
    return bytes(buffer[_LENGTH.size : end]) if len(buffer) >= end else None


class Inbox:
    """A worker's end of its socket, read message by message."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = bytearray()

    def message(self) -> bytes | None:
        """Wait for the next message; None when the executor has hung up."""
        while (whole := unframe(self._buffer)) is None:
            chunk = self.sock.recv(262144)
            if not chunk:
                return None
            self._buffer += chunk
        del self._buffer[: _LENGTH.size + len(whole)]
        return whole

    def dispatch(self) -> Dispatch | None:
        """Wait for the order; None when the executor hung up without giving one."""
        data = self.message()
        return None if data is None else read_dispatch(data)
