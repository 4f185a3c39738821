"""The PostgreSQL store: the contract, and what only a server that others share can do."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.contracts.store_builders import (
    S,
    cached,
    filled,
    new,
    outcome,
    start,
    states,
    verdict,
)
from tests.contracts.store_suite import StoreSuite
from tests.services.postgres import Postgres, running

from mainspring.records.errors import StoreUnavailableError
from mainspring.records.status import RunStatus
from mainspring.records.stores import Store
from mainspring.storage.postgres import PostgresStore

pytestmark = pytest.mark.system("postgres")


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """The name of a database with an empty store, to be copied for each test."""
    url = postgres.new_database()
    PostgresStore(url).close()
    return url.rpartition("/")[2]


class TestPostgresStore(StoreSuite):
    @pytest.fixture
    def new_store(self, postgres: Postgres, template: str) -> Callable[[], Store]:
        return lambda: PostgresStore(postgres.new_database(template))


@pytest.fixture
def pair(postgres: Postgres, template: str) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    """Two engines' stores in one database."""
    url = postgres.new_database(template)
    stores = PostgresStore(url), PostgresStore(url)
    yield stores
    for store in stores:
        store.close()


def test_transactions_of_different_runs_go_on_at_once(
    pair: tuple[PostgresStore, PostgresStore],
) -> None:
    one, two = pair
    (first,), (second,) = filled(one, new("a")), filled(one, new("a"), run="r2")
    with one.write(["r1"]) as tx, two.write(["r2"]) as other:
        assert start(tx, first, "a1", key="k1")
        assert start(other, second, "a2", key="k2", run="r2")
        assert set(tx.add_tasks("r1", [new("b")])).isdisjoint(other.add_tasks("r2", [new("b")]))
    assert states(one)["a"] == states(one, "r2")["a"] == ("running", 0)


def test_transactions_of_one_run_follow_one_another(
    pair: tuple[PostgresStore, PostgresStore],
) -> None:
    one, two = pair
    (task,) = filled(one, new("a"))
    entered = threading.Event()

    def second() -> bool:
        with two.write(["r1"]) as tx:
            entered.set()
            return start(tx, task, "a2")

    with ThreadPoolExecutor(1) as pool:
        with one.write(["r1"]) as tx:
            waiting = pool.submit(second)
            assert start(tx, task, "a1")
            assert not entered.wait(0.3)
        assert waiting.result(30) is False


def test_a_key_that_another_decides_on_can_not_be_told(
    pair: tuple[PostgresStore, PostgresStore],
) -> None:
    one, two = pair
    (first,), _ = filled(one, new("a")), filled(one, new("a"), run="r2")
    with one.write(["r1"]) as tx:
        assert tx.lookup("k") == []
        assert tx.computing("k") is None
        assert start(tx, first)
        with two.write(["r2"]) as other:
            assert other.lookup("k") == []
            assert other.computing("k") == ""
    with two.write(["r2"]) as other:
        assert other.computing("k") == "r1/a"


def test_a_result_that_came_between_look_and_claim_is_noticed(
    pair: tuple[PostgresStore, PostgresStore],
) -> None:
    one, two = pair
    filled(one, new("a"))
    filled(one, new("a"), run="r2")
    with two.write(["r2"]) as other:
        assert other.lookup("k") == []
        with one.write(["r1"]) as tx:
            tx.add_result(cached())
        assert other.computing("k") == ""
        assert len(other.lookup("k")) == 1
        assert other.computing("k") is None


def test_a_wake_up_that_was_lost_heals(pair: tuple[PostgresStore, PostgresStore]) -> None:
    one, two = pair
    (first,), (second,) = filled(one, new("a")), filled(one, new("a"), run="r2")
    with one.write(["r1"]) as tx:
        start(tx, first)
    with two.write(["r2"]) as other:
        other.park(second, "r1/a computes the same", "k")
        with one.write(["r1"]) as tx:
            tx.finish("a1", "e1", 1, outcome())
            tx.settle(first, S.SUCCEEDED, 9.0)
            assert tx.wake("k") == 0
    assert states(one, "r2")["a"] == ("waiting", 0)
    with one.write(["r2"]) as tx:
        assert tx.wake_stale(["r2"]) == 1
    assert states(one, "r2")["a"] == ("ready", 0)


def test_chains_are_extended_one_at_a_time(pair: tuple[PostgresStore, PostgresStore]) -> None:
    one, two = pair
    filled(one)
    filled(one, run="r2")
    with ThreadPoolExecutor(1) as pool:

        def second() -> str:
            with two.write(["r2"]) as tx:
                return tx.add_verdict(verdict(run="r2")).previous

        with one.write(["r1"]) as tx:
            first = tx.add_verdict(verdict()).digest
            waiting = pool.submit(second)
        assert waiting.result(30) == first
    assert [fault for fault in one.integrity() if "decision" in fault] == []


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_what_was_committed_is_there_after_a_crash(mode: str) -> None:
    with running(durable=True) as server:
        store = PostgresStore(server.new_database())
        try:
            filled(store, new("a"))
            with pytest.raises(StoreUnavailableError), store.write(["r1"]) as tx:  # noqa: PT012
                tx.move_run("r1", RunStatus.RUNNING, 1.0)
                server.restart(mode)
                tx.get_run("r1")
            assert store.read.run("r1").status is RunStatus.QUEUED
            with store.write(["r1"]) as tx:
                tx.move_run("r1", RunStatus.RUNNING, 1.0)
            server.restart(mode)
            assert store.read.run("r1").status is RunStatus.RUNNING
        finally:
            store.close()


def test_a_store_is_not_used_across_a_fork(postgres: Postgres, template: str) -> None:
    url = postgres.new_database(template)
    script = (
        "import os, sys\n"
        "from mainspring.storage.postgres import PostgresStore\n"
        "store = PostgresStore(sys.argv[1]); store.read.version()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    try: store.read.version()\n"
        "    except Exception as error: os._exit('before a fork' not in str(error))\n"
        "    os._exit(9)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0\n"
        "store.read.version(); store.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", script, url], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
