"""What a run's steps run in, put on record with it; found out once for what is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress

import msgspec

from mainspring.app.code import Code
from mainspring.app.project import Project
from mainspring.records.canonical import digest_bytes, digest_of
from mainspring.records.environments import Environment, Lock, decode, encode
from mainspring.records.errors import DefinitionError
from mainspring.records.source import Static
from mainspring.records.spec import CommandNode, StepNode
from mainspring.storage.cachefile import load_checked, save_checked
from mainspring.storage.environment import state

_KEPT = 8  # environments remembered: a project has a few pipelines

Work = StepNode | CommandNode


class _Known(msgspec.Struct, frozen=True, array_like=True):
    """What was recorded for a state of everything that it is made from."""

    state: str
    data: bytes


_decoder = msgspec.msgpack.Decoder(list[_Known])


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps of a pipeline use: distributions with versions, locks, images, threads."""

    packages: dict[str, str] = {}
    steps: dict[str, Lock] = {}
    images: dict[str, str] = {}
    threads: dict[str, int] = {}


def used_by(code: Code, found: Iterable[tuple[Work, Static]]) -> Used:
    """Return what these steps use."""
    packages: dict[str, str] = {}
    steps: dict[str, Lock] = {}
    images: dict[str, str] = {}
    threads: dict[str, int] = {}
    for work, static in found:
        threads[work.name] = int(static.options["threads"])
        named = (work.image if isinstance(work, CommandNode) else "") or work.options.environment
        lock = code.lock(work)
        if lock is not None:
            steps[str(work.options.environment)] = lock
        elif "image" in static.options:
            images[str(named)] = static.options["image"]
        else:
            packages |= static.environment
    return Used(
        packages=dict(sorted(packages.items())), steps=steps, images=images, threads=threads
    )


def record(project: Project, code: Code, used: Used) -> str:
    """Store the environment of steps that use this; return its digest."""
    place = project.home / "cache" / "recorded"
    now = _state(project, code, used)
    known = _load(place)
    data = next((each.data for each in known if each.state == now), None)
    # After `gc`, or with another store of blobs, what it names may be gone.
    if data is None or not all(map(project.blobs.has, decode(data).blobs())):
        data = encode(environment(project, code, used))
        save_checked(place, msgspec.msgpack.encode([_Known(now, data), *known[: _KEPT - 1]]))
    return project.blobs.put(data)[0]


def _load(place: os.PathLike[str]) -> list[_Known]:
    from pathlib import Path

    data = load_checked(Path(place))
    with suppress(msgspec.DecodeError):
        return _decoder.decode(data) if data else []
    return []


def _state(project: Project, code: Code, used: Used) -> str:
    """A digest of all that an environment's record is made from, looked at anew each time."""
    processor = b""
    with suppress(OSError), open("/proc/cpuinfo", "rb") as file:
        # One core speaks for all, and the clock that it has this moment is no matter.
        lines = file.read().partition(b"\n\n")[0].splitlines()
        processor = b"\n".join(line for line in lines if b"MHz" not in line)
    own = code.own_lock()
    return digest_of(
        [
            used, tuple(os.uname()), sys.version, sys.prefix, digest_bytes(processor),
            [state(place) for place in sys.path if "site-packages" in place],
            [own, code.source_digest(own)] if own else None,
            sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
            str(project.root),
        ]
    )  # fmt: skip


def environment(project: Project, code: Code, used: Used) -> Environment:
    """Return the environment of steps that use this; its lock's files are stored."""
    from mainspring.storage import machine
    from mainspring.storage.pins import pin

    made = pin(used.packages, project.root)
    lock, why = _own(code, used, project)
    if lock is None:
        digest, _ = project.blobs.put(made.text)
        version = "{}.{}".format(*sys.version_info)
        lock = Lock(kind="made", main="pylock.toml", files={"pylock.toml": digest}, python=version)
    return Environment(
        lock=lock,
        python=machine.python(),
        machine=machine.machine(),
        packages=used.packages,
        unbuildable=made.unbuildable if lock.kind == "made" else {},
        why=why,
        libraries=machine.libraries(used.packages),
        gpu=machine.gpu(used.packages),
        steps=used.steps,
        images=used.images,
        threads=used.threads,
    )


def _own(code: Code, used: Used, project: Project) -> tuple[Lock | None, str]:
    """The project's own lock if that is what is installed; else why not."""
    from mainspring.planning.locks import pins

    path = code.own_lock()
    if path is None:
        return None, "the project has no lock"
    try:
        lock = code.read_lock(path)
        if lock.kind in ("renv", "conda"):
            return None, f"{path} is no lock of Python packages that uv can build"
        pinned = pins(lock.kind, code.read(path), path)
    except DefinitionError as error:
        return None, str(error).partition("\n")[0]
    if lock.python != "{}.{}".format(*sys.version_info):
        return None, f"{path} is for Python {lock.python}"
    wrong = list(_differing(used.packages, pinned, project))
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        return None, f"what is installed is not what {path} says: {', '.join(wrong[:3])}{more}"
    return lock, ""


def _differing(
    packages: Mapping[str, str], pinned: Mapping[str, set[str]], project: Project
) -> Iterable[str]:
    from mainspring.storage.pins import is_own, version_of

    for name in packages:
        there = version_of(name)
        if there not in pinned.get(name, ()) and not is_own(name, project.root):
            yield f"{name} {there or packages[name]}"
