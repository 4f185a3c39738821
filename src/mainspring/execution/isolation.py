"""What an attempt's process is given of the machine: environment, streams, memory."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.execution.attempt_files import AttemptFiles
from mainspring.execution.seeding import THREAD_VARIABLES
from mainspring.records.runs import Order

ALLOWED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX"),
        *("CUDA_HOME", "CUDA_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "R_HOME", "JAVA_HOME"),
    }
)
_QUIET = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Arrow's allocator would start a thread at import (pandas and scikit-learn import Arrow where it
is installed), and a process with threads is not forked from. Without it, freed memory is given back
by whoever allocates next."""

_SLACK = 64 * 1024 * 1024


def base_environment(source: Mapping[str, str]) -> dict[str, str]:
    """The environment that every worker starts from; declared variables come on top."""
    allowed = {k: v for k, v in source.items() if k in ALLOWED or k.startswith("LC_")}
    return {
        **allowed,
        **dict.fromkeys(THREAD_VARIABLES, "1"),
        **_QUIET,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }


def bootstrap_environment(source: Mapping[str, str]) -> dict[str, str]:
    """`base_environment`, and where this package is found, wherever it was imported from.

    The package's own bytecode may be cached: nothing is imported from a snapshot yet.
    """
    environment = base_environment(source)
    del environment["PYTHONDONTWRITEBYTECODE"]
    environment["PYTHONPATH"] = package_folder()
    return environment


def package_folder() -> str:
    """The directory that this package was imported from."""
    return str(Path(__file__).resolve().parents[2])


def line_buffered() -> None:
    """Make what is printed reach the log line by line, whatever characters it has."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def enter(order: Order, env: Mapping[str, str], files: AttemptFiles, home: str) -> None:
    """Set up this process for one order: log, environment, memory limit."""
    log = os.open(files.log, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    set_environment(order, env, files, home)
    if order.memory is not None and not (order.gpus or order.image):
        _guard_memory(order.memory)


def set_environment(order: Order, env: Mapping[str, str], files: AttemptFiles, home: str) -> None:
    """Set the variables that are an attempt's own.

    CUDA_VISIBLE_DEVICES is always set, to nothing for an order without GPUs: whether the machine
    has some must make no difference to a step that did not ask.
    """
    environ = os.environ
    environ.update(env)
    environ["MAINSPRING_ATTEMPT"] = order.attempt
    environ["MAINSPRING_HOME"] = home
    environ["TMPDIR"] = files.work
    environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, order.gpus))
    tempfile: Any = sys.modules.get("tempfile")
    if tempfile is not None:
        # Decided anew, from TMPDIR, when it is first asked for.
        tempfile.tempdir = None


def _guard_memory(limit: int) -> None:
    """Make one huge allocation fail at once; growth bit by bit is for the executor's watch.

    What is reserved is more than what is used, hence the quarter on top.
    """
    with open("/proc/self/statm", encoding="ascii") as file:
        data = int(file.read().split()[5]) * resource.getpagesize()
    wanted = data + limit + limit // 4 + _SLACK
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
