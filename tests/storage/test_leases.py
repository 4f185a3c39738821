"""Leases as locked files: true in one process, across processes, and after a fork or a death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mainspring.records.errors import ConflictError
from mainspring.storage.leases import FileLeases

ROOT = Path(__file__).parents[2]

HOLD = """
import sys
from pathlib import Path
from mainspring.storage.leases import FileLeases
leases = FileLeases(Path(sys.argv[1]))
leases.hold(sys.argv[2])
print("held", flush=True)
sys.stdin.readline()
"""


def holder(folder: Path, engine: str) -> subprocess.Popen[str]:
    """A process that holds a lease until a line comes in, or it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), engine],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_held_and_released(tmp_path: Path) -> None:
    mine, other = FileLeases(tmp_path / "engines"), FileLeases(tmp_path / "engines")
    assert not mine.alive("a")
    mine.hold("a")
    mine.hold("a")
    assert mine.alive("a")
    assert other.alive("a")  # of the same process, but not by the same object
    assert mine.alive("a")  # asking took nothing away
    assert other.alive("a")
    with pytest.raises(ConflictError):
        other.hold("a")
    mine.release("a")
    mine.release("a")
    assert not mine.alive("a")
    assert os.listdir(tmp_path / "engines") == []
    other.hold("a")
    assert mine.alive("a")
    other.release("a")


def test_a_dead_process_loses_its_lease(tmp_path: Path) -> None:
    leases = FileLeases(tmp_path)
    process = holder(tmp_path, "a")
    assert leases.alive("a")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not leases.alive("a")
    assert os.listdir(tmp_path) == []


def test_a_process_that_ends_without_releasing(tmp_path: Path) -> None:
    leases = FileLeases(tmp_path)
    process = holder(tmp_path, "a")
    process.communicate("\n")
    assert not leases.alive("a")


FORK = """
import os, sys, time
from pathlib import Path
from mainspring.storage.leases import FileLeases
leases = FileLeases(Path(sys.argv[1]))
leases.hold("a")
if os.fork() == 0:
    print(os.getpid(), leases.alive("a"), flush=True)
time.sleep(60)
"""


def test_a_forked_child_does_not_keep_its_parent_alive(tmp_path: Path) -> None:
    leases = FileLeases(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", FORK, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child, seen = parent.stdout.readline().split()
        try:
            assert seen == "True"  # the child asks like anyone else
            assert leases.alive("a")
            parent.kill()
            parent.wait(30)
            assert not leases.alive("a")  # though the child lives on
            os.kill(int(child), 0)
        finally:
            parent.kill()
            os.kill(int(child), signal.SIGKILL)


def test_asking_never_takes_a_living_lease_away(tmp_path: Path) -> None:
    """Engines come and go under one name while others ask: whoever holds it is seen."""
    ask, mine = FileLeases(tmp_path), FileLeases(tmp_path)
    done = threading.Event()

    def keep_asking() -> None:
        other = FileLeases(tmp_path)
        while not done.is_set():
            other.alive("a")

    threads = [threading.Thread(target=keep_asking) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            mine.hold("a")
            assert ask.alive("a")
            mine.release("a")
    finally:
        done.set()
        for thread in threads:
            thread.join(30)
    assert os.listdir(tmp_path) == []
