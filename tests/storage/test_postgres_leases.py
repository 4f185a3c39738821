"""Leases in a real PostgreSQL: killed, stopped and far engines, and a server that goes down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.services.postgres import Postgres, running

from mainspring.records.errors import ConflictError, StoreUnavailableError
from mainspring.storage.postgres_leases import PostgresLeases

pytestmark = pytest.mark.system("postgres")

HOLDER = """
import sys
from pathlib import Path
from mainspring.storage.postgres_leases import PostgresLeases
url, folder, ttl = sys.argv[1:]
PostgresLeases(url, Path(folder), ttl=float(ttl)).hold("far")
print("held", flush=True)
sys.stdin.read()
"""


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.new_database()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process that holds the lease of the engine `far`."""
    started: list[subprocess.Popen[bytes]] = []

    def holder(url: str, folder: Path, ttl: float) -> subprocess.Popen[bytes]:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-c", HOLDER, url, str(folder), str(ttl)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        return process

    yield holder
    for process in started:
        process.kill()
        process.communicate()


Leases = Callable[..., PostgresLeases]


@pytest.fixture
def leases() -> Iterator[Leases]:
    """Open leases; they are closed at the end."""
    opened: list[PostgresLeases] = []

    def open_them(url: str, folder: Path, ttl: float = 10.0) -> PostgresLeases:
        folder.mkdir(parents=True, exist_ok=True)
        opened.append(PostgresLeases(url, folder, ttl=ttl))
        return opened[-1]

    yield open_them
    for one in opened:
        one.close()


def seconds_until(condition: Callable[[], bool], limit: float = 30.0) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < limit
        time.sleep(0.02)
    return time.monotonic() - began


def test_held_and_released(url: str, tmp_path: Path, leases: Leases) -> None:
    one, two = leases(url, tmp_path / "a"), leases(url, tmp_path / "b")
    assert one.living() == []
    one.hold("e1")
    one.hold("e1")
    assert one.alive("e1")
    assert two.alive("e1")
    assert not two.alive("e2")
    two.hold("e2")
    assert one.living() == two.living() == ["e1", "e2"]
    one.release("e1")
    assert two.living() == ["e2"]
    two.release("e2")
    two.release("e2")
    assert one.living() == []


def test_a_name_is_held_once(url: str, tmp_path: Path, start: Start, leases: Leases) -> None:
    start(url, tmp_path / "far", 10.0)
    with pytest.raises(ConflictError, match="far is alive"):
        leases(url, tmp_path / "near").hold("far")
    with pytest.raises(ConflictError, match="far is alive"):
        leases(url, tmp_path / "far").hold("far")


@pytest.mark.parametrize("home", ["near", "far"])
def test_killed_within_reach_is_dead_at_once(
    url: str, tmp_path: Path, home: str, start: Start, leases: Leases
) -> None:
    """Its home may be another one than ours: what counts is that it can be reached."""
    process = start(url, tmp_path / "far", 600.0)
    asking = leases(url, tmp_path / home, 600.0)
    assert asking.alive("far")
    process.kill()
    process.wait()
    assert not asking.alive("far")
    assert asking.living() == []


def test_killed_out_of_reach_is_dead_when_the_lease_is_over(
    url: str, tmp_path: Path, start: Start, leases: Leases
) -> None:
    process = start(url, tmp_path / "far", 1.5)
    (tmp_path / "far").rename(tmp_path / "elsewhere")  # as another machine would see it: not at all
    asking = leases(url, tmp_path / "near")
    process.kill()
    process.wait()
    assert asking.alive("far")
    assert seconds_until(lambda: not asking.alive("far")) < 10


def test_another_folder_of_the_same_name_tells_nothing(
    url: str, tmp_path: Path, start: Start, leases: Leases
) -> None:
    """Two machines may both have a /project: a lock that is missing here proves nothing."""
    start(url, tmp_path / "home", 600.0)
    (tmp_path / "home").rename(tmp_path / "of-the-other-machine")
    asking = leases(url, tmp_path / "third")
    (tmp_path / "home").mkdir()
    assert asking.alive("far")
    assert leases(url, tmp_path / "home").alive("far")


def test_held_for_longer_than_it_lasts(url: str, tmp_path: Path, leases: Leases) -> None:
    one, two = leases(url, tmp_path / "a", 1.0), leases(url, tmp_path / "b")
    one.hold("e1")
    end = time.monotonic() + 3.0
    while time.monotonic() < end:
        assert two.alive("e1")
        time.sleep(0.05)
    one.release("e1")


def test_stopped_for_longer_than_its_lease(
    url: str, tmp_path: Path, start: Start, leases: Leases
) -> None:
    """It still holds the lock of its home, but it does not work."""
    process = start(url, tmp_path / "far", 1.0)
    asking = leases(url, tmp_path / "far")
    os.kill(process.pid, signal.SIGSTOP)
    try:
        seconds_until(lambda: not asking.alive("far"))
    finally:
        os.kill(process.pid, signal.SIGCONT)
    seconds_until(lambda: asking.alive("far"))


def test_a_row_that_was_deleted_comes_back(
    url: str, tmp_path: Path, postgres: Postgres, leases: Leases
) -> None:
    one = leases(url, tmp_path / "a", 1.0)
    one.hold("e1")
    postgres.execute("DELETE FROM mainspring.engines", url)
    assert seconds_until(lambda: leases(url, tmp_path / "b").alive("e1")) < 10
    one.release("e1")


def test_while_the_server_is_down_nobody_dies(tmp_path: Path, leases: Leases) -> None:
    with running(durable=True) as server:
        one, two = leases(server.url, tmp_path / "a", 2.0), leases(server.url, tmp_path / "b")
        one.hold("e1")
        server.halt("immediate")
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            two.alive("e1")
        with pytest.raises(StoreUnavailableError):
            two.hold("e2")
        time.sleep(2.5)  # longer than the lease: what is tested is that this time does not count
        server.start()
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            assert two.alive("e1")
            time.sleep(0.05)
        two.hold("e2")
        server.halt("fast")
        one.release("e1")
        two.release("e2")
