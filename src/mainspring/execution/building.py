"""The process that becomes the zygote of an environment: it builds that first, if need be.

An engine's turn must not wait for an installation. This process may: the executor learns from it,
as from any zygote, that it is ready or why it never will be.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from mainspring.execution import wire
from mainspring.execution.environments import Environments
from mainspring.execution.interpreters import Interpreter
from mainspring.execution.runtime import prepared
from mainspring.execution.worker import SOCKET
from mainspring.records.errors import MainspringError
from mainspring.records.runs import TaskError
from mainspring.storage.places import open_blobs


def main() -> None:
    """Turn into the zygote that the packet on descriptor 3 is for; it is left to be read."""
    control = socket.socket(fileno=SOCKET)
    data = control.recv(wire.PACKET, socket.MSG_PEEK)
    if not data:
        return
    boot = wire.read_request(data)
    assert isinstance(boot, wire.Boot)
    try:
        interpreter = _built(boot)
    except MainspringError as error:
        told = TaskError(
            kind=type(error).__name__, message=error.what, where=error.where or "",
            hint=error.hint or "",
        )  # fmt: skip
        control.recv(wire.PACKET)  # ended with something unread, it would reset what it says last
        control.send(wire.packet(wire.Broken(error=told)))
        sys.exit(0)
    os.set_inheritable(SOCKET, True)
    words = interpreter.command("mainspring.execution.zygote")
    environment = interpreter.environment(os.environ)
    environment["PYTHONHASHSEED"] = str(boot.conditions.hash_seed)
    os.execve(words[0], words, environment)  # noqa: S606


def _built(boot: wire.Boot) -> Interpreter:
    assert boot.lock is not None
    blobs = open_blobs(boot.blobs, boot.access)
    python = Environments(Path(boot.home), blobs.read).build(boot.lock)
    return prepared(python, Path(boot.home), remote=bool(boot.blobs.url))
