"""A Python step in a container, seen from inside: the first process, and the step's own below it.

The first process of a container gets no signal that it does not ask for, and all others end with
it. So it only waits: for the step's process, whose end it writes down, and for SIGTERM, which it
passes on.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import msgspec

from mainspring.execution.enclosure import Exchange, Inside

_FIELD = "oom_kill "
_EVENTS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
_KILOBYTE = 1024


def main(path: str) -> NoReturn:
    """Run the order that is in the file, to the end."""
    request = msgspec.json.decode(Path(path).read_bytes(), type=Inside)
    exchange = Exchange(request.work)
    child = os.fork()
    if child == 0:
        os.setsid()
        code = 1
        try:
            code = _step(request, exchange)
        finally:
            os._exit(code)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        os.kill(child, number)

    signal.signal(signal.SIGTERM, pass_on)
    status = _wait(child)
    _write_down(status, exchange)
    os._exit(0)


def _wait(child: int) -> int:
    """Reap whatever ends, until the step's process does; its wait status."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return status


def _write_down(status: int, exchange: Exchange) -> None:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = {
        "status": status,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * _KILOBYTE,
        "killed": _killed(),
    }
    temporary = exchange.ended + ".new"
    Path(temporary).write_text(json.dumps(said), "utf-8")
    os.replace(temporary, exchange.ended)


def _killed() -> int:
    """How many processes of this container the kernel has killed for their memory."""
    for path in _EVENTS:
        try:
            lines = Path(path).read_text("ascii").splitlines()
        except OSError:
            continue
        return sum(int(line[len(_FIELD) :]) for line in lines if line.startswith(_FIELD))
    return 0


def _step(request: Inside, exchange: Exchange) -> int:
    from mainspring.execution import isolation, reads, worker
    from mainspring.execution.attempt_files import AttemptFiles, encode
    from mainspring.execution.wire import Boot
    from mainspring.storage.blobs import LocalBlobs
    from mainspring.storage.layered import LayeredBlobs

    order = request.order
    files = AttemptFiles(request.home, order.attempt)
    given = LocalBlobs(Path(exchange.given))
    blobs = LayeredBlobs(given, LocalBlobs(Path(exchange.made), durable=False))
    module = order.uses.partition(":")[0]
    boot = Boot(
        home=request.home,
        blobs=given.place,
        snapshot=order.snapshot,
        modules=(module,),
        env={},
    )
    site = worker.move_in(boot, blobs, request.root)
    worker.import_modules(site, boot.modules)
    isolation.enter(order, {}, files, request.home)
    sys.argv = [""]
    recorder = reads.Recorder(site.root, files.work, (files.directory, given.place.root))
    data = encode(worker.attempt(order, site, files, recorder))
    Path(exchange.outcome).write_bytes(data)
    worker.flush()
    return 0
