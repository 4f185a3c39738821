"""The throw-away server itself: apart from others, durable when asked, gone at the end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.services.postgres import Postgres, running

pytestmark = pytest.mark.system("postgres")
ROOT = Path(__file__).parents[2]


def test_databases_are_apart(postgres: Postgres) -> None:
    one, two = postgres.new_database(), postgres.new_database()
    postgres.execute("CREATE TABLE t (a int)", one)
    seen = "SELECT count(*) FROM pg_tables WHERE tablename = 't'"
    assert postgres.execute(seen, one) == [(1,)]
    assert postgres.execute(seen, two) == [(0,)]


def test_a_durable_server_keeps_its_data_in_a_crash() -> None:
    with running(durable=True) as server:
        url = server.new_database()
        server.execute("CREATE TABLE t (a int)", url)
        server.execute("INSERT INTO t VALUES (1)", url)
        server.restart("immediate")
        assert server.execute("SELECT a FROM t", url) == [(1,)]
        assert server.execute("SHOW fsync") == [("on",)]
        port = server.port
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


ORPHAN = """
import os, signal
from tests.services.postgres import Postgres
server = Postgres()
print(server.pid, server._root, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_is_left_when_the_tests_are_killed() -> None:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    killed = subprocess.run(
        [sys.executable, "-c", ORPHAN],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )  # returns when the guard, which shares the pipes, is gone too
    pid, root = killed.stdout.split()
    assert killed.returncode == -9
    assert not Path(root).exists()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():  # it has been told, and is on its way
        assert time.monotonic() < deadline
        os.sched_yield()
