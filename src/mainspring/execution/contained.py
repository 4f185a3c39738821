"""A Python step in a container, seen from outside: what it is given, and what is taken from it.

The worker of the attempt stays outside. It lays out the blobs that the step's inputs need, has the
container run `execution/inside.py` with the same order, and takes over the blobs that are new. What
comes out of a container is checked like anything that a step may have written.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from mainspring.execution import containers, isolation
from mainspring.execution.attempt_files import AttemptFiles, decode, open_plain
from mainspring.execution.container_engine import ContainerError
from mainspring.execution.containers import Mount, NoProgramError
from mainspring.execution.enclosure import CODE, Exchange, Inside
from mainspring.execution.failures import death
from mainspring.records import artifacts
from mainspring.records.artifacts import ArtifactRef, Input
from mainspring.records.errors import BlobError
from mainspring.records.ports import Blobs
from mainspring.records.runs import Order, Outcome, Usage
from mainspring.records.status import AttemptStatus
from mainspring.storage.blobs import LocalBlobs, key_of
from mainspring.storage.serializers import registry

PACKAGE = "/opt/mainspring"  # where this package is inside: the image may have another version
_LARGEST = 1 << 20  # bytes of what an attempt's init says at most


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How the step's process ended: wait status, seconds of CPU, peak bytes, kills for memory."""

    status: int = 0
    cpu: float = 0.0
    peak: int = 0
    killed: int = 0
    refused: str = ""


def run(order: Order, root: str, files: AttemptFiles, blobs: Blobs) -> Outcome:
    """Run a step of the snapshot in `root` in a container of the order's image; its outcome.

    Raises ContainerError when there is none, MemoryError when it was killed for its memory.
    """
    exchange = Exchange(files.work)
    exchange.create()
    digests = {order.snapshot, *_needed(order.inputs.values(), blobs)}
    for digest in digests:
        _give(blobs.path(digest), Path(exchange.given, "blake3", key_of(digest)))
    for path in (files.metrics, files.media):
        Path(path).touch()
    Path(exchange.request).write_bytes(msgspec.json.encode(_request(order, root, files)))
    try:
        code = containers.run(
            order, _words(exchange), files, _mounts(root, files, exchange), _env()
        )
    except NoProgramError:
        raise _unfit("it has no `python3` on its PATH") from None
    finally:
        _take_over(LocalBlobs(Path(exchange.made)), blobs)
    return _outcome(order, exchange, blobs, code)


def _request(order: Order, root: str, files: AttemptFiles) -> Inside:
    own = msgspec.structs.replace(order, image="")
    home = os.path.dirname(os.path.dirname(files.directory))
    return Inside(order=own, home=home, root=root, work=files.work)


def _words(exchange: Exchange) -> list[str]:
    return ["python3", "-c", CODE, exchange.request]


def _env() -> dict[str, str]:
    """What every worker starts from, as far as it is no matter of this machine's own paths."""
    own = isolation.base_environment({})
    seed = os.environ["PYTHONHASHSEED"]  # of this worker: an experiment may have changed it
    return {**own, "PYTHONPATH": PACKAGE, "LANG": "C.UTF-8", "PYTHONHASHSEED": seed}


def _mounts(root: str, files: AttemptFiles, exchange: Exchange) -> list[Mount]:
    package = os.path.join(isolation.package_folder(), "mainspring")
    return [
        Mount(package, f"{PACKAGE}/mainspring"),
        Mount(root, root),
        Mount(exchange.given, exchange.given),
        *(Mount(path, path, "rw") for path in (files.log, files.metrics, files.media)),
    ]


# What goes in


def _needed(inputs: Iterable[Input], blobs: Blobs) -> Iterator[str]:
    """Digests of all blobs that the inputs consist of."""
    for given in inputs:
        match given:
            case artifacts.Stored():
                yield given.ref.digest
                yield from _parts(given, blobs)
            case artifacts.Sequence():
                yield from _needed(given.items, blobs)
            case artifacts.Mapping() | artifacts.Bundle():
                yield from _needed(given.items.values(), blobs)
            case _:
                pass


def _parts(given: artifacts.Stored, blobs: Blobs) -> Iterator[str]:
    """What a value needs beside its own blob; an element of a list needs nothing of the others."""
    ref = given.ref
    if given.index is not None:
        one = given.element or registry.index_of(ref, blobs)[given.index]
        yield one.digest
        if one.offset >= 0:
            return
        ref = ArtifactRef(digest=one.digest, size=one.size, format=one.format)
    yield from registry.references(ref, blobs)


def _give(source: Path, target: Path) -> None:
    """Lay out one blob: another name of the same file, or a copy on another disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        pass
    except OSError:
        shutil.copyfile(source, target)


# What comes out


def _take_over(made: LocalBlobs, blobs: Blobs) -> None:
    """Store what the container has made; nothing but plain files at their own paths counts."""
    root = os.path.realpath(made.root)
    for entry in list(made.listing()):
        path = f"{root}/blake3/{key_of(entry.digest)}"
        if os.path.realpath(path) != path:
            continue
        try:
            open_plain(path).close()
        except FileNotFoundError:
            continue
        blobs.put_file(Path(path))


def _outcome(order: Order, exchange: Exchange, blobs: Blobs, code: int) -> Outcome:
    ended = _read(exchange.ended, Ended)
    if ended is None:
        raise ContainerError(
            f"the container ended with exit status {code} before the step began",
            hint="its whole output is in the task's log",
        )
    if ended.refused:
        raise _unfit(ended.refused)
    found = _told(order, exchange, blobs)
    if found is not None:
        return found
    if ended.killed and os.WIFSIGNALED(ended.status):
        raise MemoryError("its container's engine killed it")
    return Outcome(
        attempt=order.attempt,
        status=AttemptStatus.FAILED,
        error=death(ended.status),
        usage=Usage(wall=_age(exchange.request), cpu=max(0.0, ended.cpu), peak_memory=ended.peak),
        started=os.stat(exchange.request).st_mtime,
        ended=os.stat(exchange.ended).st_mtime,
    )


def _age(path: str) -> float:
    return max(0.0, time.time() - os.stat(path).st_mtime)


def _told(order: Order, exchange: Exchange, blobs: Blobs) -> Outcome | None:
    """The step's own outcome, if it wrote a whole one."""
    try:
        with open_plain(exchange.outcome) as file:
            found = decode(file.read(), order.attempt)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise ContainerError(f"the step's outcome is damaged: {error}") from None
    if found.status not in (AttemptStatus.SUCCEEDED, AttemptStatus.FAILED):
        raise ContainerError(f"the step's outcome is damaged: it is {found.status.value}")
    for name, ref in found.outputs.items():
        if not blobs.has(ref.digest):
            raise BlobError(f"the container did not leave the value of output {name}")
    return found


def _read(path: str, kind: type[Any]) -> Any:
    try:
        with open_plain(path) as file:
            return msgspec.json.decode(file.read(_LARGEST), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _unfit(why: str) -> ContainerError:
    return ContainerError(
        f"the image can't run a Python step: {why}",
        hint="it needs Python 3.11 or later as `python3`, and what Mainspring itself depends on "
        "(`pip install mainspring`, or blake3 and msgspec at least)",
    )
