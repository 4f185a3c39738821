"""A TCP proxy of a test's own: it counts what passes, cuts connections, or answers itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

PIECE = 1 << 16


class Proxy:
    """Between a client and the server at `target`, on loopback, for the length of `running`."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False
        self.up = self.down = 0  # bytes that passed, ever
        self.cuts: list[tuple[str, int]] = []  # ("up" | "down", bytes that passed by then)
        self.answers: list[bytes] = []  # instead of the server's, one for each connection
        self.answered = 0
        self.watch: Callable[[], None] | None = None  # is called whenever bytes have passed
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def passed(self, way: str) -> int:
        """Bytes that went that way."""
        return self.up if way == "up" else self.down

    def cut_all(self) -> None:
        """End every connection as a broken network would."""
        with self._lock:
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def accept(self) -> None:
        """Serve until `close`."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.answers:
                self._start(self._answer, client, self.answers.pop(0))
                continue
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            self._start(self._pump, client, server, "up")
            self._start(self._pump, server, client, "down")

    def close(self) -> None:
        """End all of it."""
        self._closed = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()
        for thread in self._threads:
            thread.join()
        for end in self._open:
            end.close()

    def _start(self, work: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=work, args=given)
        self._threads.append(thread)
        thread.start()

    def _answer(self, client: socket.socket, words: bytes) -> None:
        with client, suppress(OSError):
            client.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(PIECE)
                if not piece:
                    return
                head += piece
            self.answered += 1
            client.sendall(words)
            client.shutdown(socket.SHUT_WR)
            while client.recv(PIECE):
                pass  # else what is unread would reset the connection before the answer is read

    def _pump(self, source: socket.socket, to: socket.socket, way: str) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                to.sendall(piece)
                if self._count(way, len(piece)):
                    self.cut_all()
                if self.watch is not None:
                    self.watch()
        for end in (source, to):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _count(self, way: str, size: int) -> bool:
        with self._lock:
            if way == "up":
                self.up += size
            else:
                self.down += size
            if self.cuts and self.cuts[0][0] == way and self.passed(way) >= self.cuts[0][1]:
                self.cuts.pop(0)
                return True
        return False


def refusal(status: str, code: str) -> bytes:
    """An answer of S3 that says no."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


@contextmanager
def running(target: str) -> Iterator[Proxy]:
    """A proxy for the length of a block."""
    proxy = Proxy(target)
    thread = threading.Thread(target=proxy.accept)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
