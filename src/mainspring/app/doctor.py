"""The verb `doctor`: is this machine, and this project's store, fit to run?"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from mainspring import __version__
from mainspring.app.project import Project
from mainspring.app.views import Check, DoctorView
from mainspring.records.errors import BlobError, MainspringError
from mainspring.storage.filesystem import refuse_network

LOW_DISK = 1 << 30
OLDEST = (3, 11)
_WORST = ("ok", "warn", "fail")


def examine(open_project: Callable[[], Project], *, deep: bool = False) -> DoctorView:
    """Return what was looked at. `deep` reads every blob and compares its digest."""
    checks = list(_machine())
    try:
        project = open_project()
    except MainspringError as error:
        checks.append(Check(name="project", status="fail", text=str(error), hint=error.hint))
    else:
        checks += _project(project)
        checks.append(_store(project))
        checks += _engines(project)
        checks.append(_blobs(project) if deep else _present(project))
    worst = max((check.status for check in checks), key=_WORST.index)
    return DoctorView(status=worst, checks=checks)


def _machine() -> Iterator[Check]:
    yield Check(name="mainspring", status="ok", text=__version__)
    version = platform.python_version()
    old = sys.version_info[:2] < OLDEST
    hint = f"use Python {OLDEST[0]}.{OLDEST[1]} or newer" if old else None
    yield Check(
        name="python", status="fail" if old else "ok", text=f"{version} {sys.executable}", hint=hint
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Check(name="platform", status="ok", text=f"{platform.platform()}, {cores} cores")
    yield Check(name="sqlite", status="ok", text=sqlite3.sqlite_version)
    yield _forking()


def _forking() -> Check:
    if not hasattr(os, "fork"):
        return Check(
            name="fork", status="warn", text="there is none here: workers start more slowly"
        )
    threads = threading.active_count()
    if threads > 1:
        text = f"{threads} threads run in this process; workers are forked from another one"
        return Check(name="fork", status="warn", text=text)
    return Check(name="fork", status="ok", text="workers can be forked from a warm process")


def _project(project: Project) -> Iterator[Check]:
    name = project.settings.project.name
    yield Check(name="project", status="ok", text=f"{name} in {project.root}")
    free = shutil.disk_usage(project.home).free
    low = free < LOW_DISK
    hint = "`mainspring gc` deletes what no run refers to" if low else None
    text = f"{free / 1e9:.1f} GB free"
    yield Check(name="disk", status="warn" if low else "ok", text=text, hint=hint)
    yield _writable(project.home)
    yield _locks(project.home)


def _writable(home: Path) -> Check:
    closed = [
        name for name in ("", "attempts", "blobs", "cache", "engines", "snapshots")
        if not os.access(home / name, os.W_OK | os.X_OK)
    ]  # fmt: skip
    if closed:
        text = "can't write " + ", ".join(str(home / name) for name in closed)
        return Check(name="home", status="fail", text=text, hint="change its owner or mode")
    return Check(name="home", status="ok", text=f"{home} is writable")


def _locks(home: Path) -> Check:
    try:
        refuse_network(home)
    except MainspringError as error:
        return Check(name="locks", status="fail", text=error.what, hint=error.hint)
    import fcntl

    probe = home / "engines" / f"doctor-{os.getpid()}"
    try:
        with probe.open("w") as one, probe.open("w") as two:
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return Check(name="locks", status="ok", text="file locks exclude each other")
    except OSError as error:
        return Check(name="locks", status="fail", text=f"can't lock a file: {error.strerror}")
    finally:
        probe.unlink(missing_ok=True)
    text = "two locks on one file do not exclude each other"
    return Check(name="locks", status="fail", text=text, hint="put the project on a local disk")


def _store(project: Project) -> Check:
    faults = project.store.integrity()
    if not faults:
        return Check(name="store", status="ok", text="whole, and its records agree")
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    text = "; ".join(faults[:3]) + more
    hint = "keep a copy of the store, then restore a backup"
    return Check(name="store", status="fail", text=text, hint=hint)


def _engines(project: Project) -> Iterator[Check]:
    alive = project.leases.living()
    text = f"{len(alive)} at work" + (f": {', '.join(alive)}" if alive else "")
    yield Check(name="engines", status="ok", text=text)


def _present(project: Project) -> Check:
    wanted = {digest for digest in project.store.read.referenced() if _is_blob(digest)}
    missing = [digest for digest in wanted if not project.blobs.has(digest)]
    if missing:
        return _gone(len(missing), len(wanted), "missing")
    return Check(name="blobs", status="ok", text=f"all {len(wanted)} are there (--deep reads them)")


def _is_blob(digest: str) -> bool:
    """Inputs that were given as values have a digest too, with their format before it."""
    return digest.startswith("blake3:")


def _gone(count: int, total: int, how: str) -> Check:
    return Check(
        name="blobs",
        status="warn",
        text=f"{count} of {total} are {how}",
        hint="what made them is computed again when it is next needed",
    )


def _blobs(project: Project) -> Check:
    """Read every blob there is; a damaged one is moved aside by the store."""
    bad = total = 0
    for digest, *_ in sorted(project.blobs.listing()):
        total += 1
        try:
            if not _whole(project, digest):
                bad += 1
        except BlobError:
            bad += 1
    if bad:
        return Check(
            name="blobs",
            status="fail",
            text=f"{bad} of {total} are damaged",
            hint="run the pipeline again: what made them will be computed anew",
        )
    there = _present(project)
    if there.status != "ok":
        return there
    return Check(name="blobs", status="ok", text=f"{total} read, each has its digest")


def _whole(project: Project, digest: str) -> bool:
    from blake3 import blake3

    hasher = blake3()
    with project.blobs.path(digest).open("rb") as file:
        while data := file.read(1 << 20):
            hasher.update(data)
    return f"blake3:{hasher.hexdigest()}" == digest
