"""The SQLite store: the contract, and what only a file on a disk can suffer."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.contracts.store_builders import (
    a_run,
    filled,
    new,
)
from tests.contracts.store_suite import StoreSuite

from mainspring.records.errors import StoreError
from mainspring.records.stores import RunFilter, Store
from mainspring.storage.sqlite import SqliteStore
from mainspring.storage.statements import statements

ROOT = Path(__file__).parents[2]


class TestSqliteStore(StoreSuite):
    @pytest.fixture
    def new_store(self, tmp_path: Path) -> Callable[[], Store]:
        names = count()
        return lambda: SqliteStore(tmp_path / f"store{next(names)}.db")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db")
    yield store
    store.close()


def python(script: str, *args: object) -> subprocess.Popen[str]:
    """Start a script that can import this project and its tests."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )


CLAIM = """
import sys
from pathlib import Path
from mainspring.storage.sqlite import SqliteStore
from tests.contracts.store_builders import start
store = SqliteStore(Path(sys.argv[1]))
for i in range(20):
    with store.write() as tx:
        for task in tx.ready(["r1"], 1.0, 3):
            assert start(tx, task.id, f"{sys.argv[2]}-{task.id}")
            print(task.id)
"""


def test_processes_never_begin_the_same_task(store: SqliteStore) -> None:
    ids = filled(store, *(new(f"t{i}") for i in range(50)))
    workers = [python(CLAIM, store.path, name) for name in "abc"]
    begun = [worker.communicate(timeout=60)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert sorted(int(task) for part in begun for task in part) == ids
    assert all(len(store.read.attempts(task)) == 1 for task in ids)
    assert store.integrity() == []


CREATE = """
import sys
from pathlib import Path
from mainspring.storage.sqlite import SqliteStore
from tests.contracts.store_builders import filled, new
store = SqliteStore(Path(sys.argv[1]))
filled(store, new("a"), run=sys.argv[2])
store.close()
"""


def test_processes_that_create_the_store_at_once(tmp_path: Path) -> None:
    path = tmp_path / "home" / "store.db"
    workers = [python(CREATE, path, f"r{i}") for i in range(4)]
    assert [worker.wait(60) for worker in workers] == [0] * 4
    for worker in workers:
        worker.communicate()
    store = SqliteStore(path)
    assert len(store.read.runs(RunFilter())) == 4
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


HANG = """
import sys, time
from pathlib import Path
from mainspring.storage.sqlite import SqliteStore
from tests.contracts.store_builders import a_run, new, cached
store = SqliteStore(Path(sys.argv[1]))
with store.write() as tx:
    tx.add_run(a_run("half"), b"{}")
    tx.add_tasks("half", [new(f"t{i}") for i in range(20000)])
    tx.add_result(cached(run="half"))
    print("ready", flush=True)
    time.sleep(60)
"""


def test_nothing_is_seen_of_a_writer_that_was_killed(store: SqliteStore) -> None:
    filled(store, new("a"))
    writer = python(HANG, store.path)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=30)
    assert [run.id for run in store.read.runs(RunFilter())] == ["r1"]
    assert store.read.tasks("half") == []
    assert store.integrity() == []
    with store.write() as tx:  # its lock is gone with it
        tx.add_run(a_run("after"), b"{}")
        tx.add_tasks("after", [new("a")])
    assert store.integrity() == []


def test_a_busy_store_is_named_not_locked(store: SqliteStore) -> None:
    filled(store, new("a"))
    impatient = SqliteStore(store.path, patience=0.0)
    impatient._writing._connection = sqlite3.connect(
        store.path, timeout=0, isolation_level=None, check_same_thread=False
    )
    with store.write() as tx:
        tx.add_tasks("r1", [new("b")])
        with pytest.raises(StoreError) as caught, impatient.write():
            pass
        assert len(impatient.read.tasks("r1")) == 1  # readers are never held up
    assert "locked" not in str(caught.value)
    assert "another process" in str(caught.value)
    with impatient.write() as tx:
        tx.add_tasks("r1", [new("c")])
    impatient.close()
    assert len(store.read.tasks("r1")) == 3


def test_a_full_disk_undoes_the_transaction(store: SqliteStore) -> None:
    filled(store, new("a"))
    connection = _limited(store)
    with pytest.raises(StoreError, match="disk is full"), store.write() as tx:
        tx.add_tasks("r1", [new(f"t{i}") for i in range(5000)])
    assert [task.path for task in store.read.tasks("r1")] == ["a"]
    connection.execute("PRAGMA max_page_count = 1000000")
    with store.write() as tx:
        tx.add_tasks("r1", [new("b")])
    assert [task.path for task in store.read.tasks("r1")] == ["a", "b"]
    assert store.integrity() == []


def test_a_failed_statement_that_is_caught_commits_nothing(store: SqliteStore) -> None:
    filled(store, new("a"))
    connection = _limited(store)

    def catch() -> None:
        with store.write() as tx:
            with pytest.raises(StoreError, match="full"):
                tx.add_tasks("r1", [new(f"t{i}") for i in range(5000)])
            with pytest.raises(StoreError, match="undone"):
                tx.add_run(a_run("loose"), b"{}")
            with pytest.raises(StoreError, match="undone"):
                tx.add_edges([(1, 1)])

    with pytest.raises(StoreError, match="undone"):
        catch()
    connection.execute("PRAGMA max_page_count = 1000000")
    assert [run.id for run in store.read.runs(RunFilter())] == ["r1"]


def _limited(store: SqliteStore) -> sqlite3.Connection:
    with store.write():
        pass
    connection = store._writing._connection
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    return connection


FULL = """
import sys
from pathlib import Path
from mainspring.records.errors import StoreError
from mainspring.storage.sqlite import SqliteStore
from tests.contracts.store_builders import filled, new
home = Path("/mnt")
store = SqliteStore(home / "store.db")
filled(store, new("a"))
ballast = home / "ballast"
with ballast.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
try:
    with store.write() as tx:
        tx.add_tasks("r1", [new(f"t{i}") for i in range(20000)])
except StoreError as error:
    print(error.what)
ballast.unlink()
with store.write() as tx:
    tx.add_tasks("r1", [new("b")])
print([task.path for task in store.read.tasks("r1")], store.integrity())
"""


@pytest.mark.system("tmpfs")
def test_a_disk_that_is_really_full() -> None:
    done = mounted('mount -t tmpfs -o size=2m tmpfs /mnt && exec "$@"', FULL)
    assert done.stderr == ""
    assert done.stdout == "the disk is full\n['a', 'b'] []\n"


def mounted(mount: str, script: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a script where /mnt is a mount that nobody else sees."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, "sh", sys.executable, "-c", script, *args],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


READ_ONLY = """
import sys
from pathlib import Path
from mainspring.records.errors import StoreError
from mainspring.storage.sqlite import SqliteStore
from tests.contracts.store_builders import a_run
try:
    store = SqliteStore(Path(sys.argv[1], "store.db"))
    with store.write() as tx:
        tx.add_run(a_run("r9"), b"")
except StoreError as error:
    print(error)
"""


@pytest.mark.system("tmpfs")
@pytest.mark.parametrize("exists", [True, False])
def test_a_read_only_home(tmp_path: Path, exists: bool) -> None:
    """Of root too: a mount that is read-only, which no permission bits get around."""
    if exists:
        store = SqliteStore(tmp_path / "store.db")
        filled(store, new("a"))
        store.close()
    mount = f'mount --bind {tmp_path} /mnt && mount -o remount,bind,ro /mnt && exec "$@"'
    done = mounted(mount, READ_ONLY, "/mnt")
    assert done.stderr == ""
    assert "hint: check" in done.stdout
    assert "/mnt/store.db" in done.stdout


def test_a_transaction_outside_of_its_block(store: SqliteStore) -> None:
    filled(store, new("a"))
    with store.write() as tx:
        pass
    with pytest.raises(StoreError, match="outside"):
        tx.set_driver("r1", "e")
    with pytest.raises(StoreError, match="outside"):
        tx.add_edges([(1, 1)])


def test_a_forked_child_may_not_use_the_connections(store: SqliteStore) -> None:
    filled(store, new("a"))
    pid = os.fork()
    if pid == 0:
        refused = 0
        try:
            store.read.tasks("r1")
        except StoreError:
            refused += 1
        try:
            with store.write():
                pass
        except StoreError:
            refused += 1
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
    assert len(store.read.tasks("r1")) == 1


def test_ten_thousand_runs_are_listed_from_an_index(store: SqliteStore) -> None:
    sql = statements("runs")["list"]
    values = {"pipeline": None, "prefix": None, "status": None, "limit": 50}
    plan = store._reading.rows(f"EXPLAIN QUERY PLAN {sql}", values)
    assert "USING INDEX runs_created" in plan[0][3]
    assert len(plan) == 1  # nothing is sorted


@pytest.mark.parametrize(
    ("nouns", "name", "index"),
    [
        (("tasks", "queue"), "ready", "tasks_now"),
        (("tasks", "queue"), "delayed", "tasks_delayed"),
        (("tasks",), "top", "tasks_top"),
        (("tasks",), "top_artifacts", "tasks_top"),
        (("tasks",), "of_status", "tasks_status"),
        (("tasks",), "elements", "tasks_parent"),
        (("tasks", "queue"), "unsettled", "tasks_status"),
        (("tasks", "queue"), "any_status", "tasks_status"),
        (("tasks", "queue"), "open_maps", "tasks_now_child"),
        (("tasks", "queue"), "computing", "tasks_computing"),
        (("tasks", "queue"), "wake", "tasks_awaiting"),
        (("tasks", "queue"), "release", "PRIMARY KEY"),
        (("attempts",), "running", "attempts_running"),
        (("attempts",), "take_over", "attempts_running"),
        (("results",), "lookup", "results_key"),
        (("results",), "previous", "tasks_history"),
        (("tasks",), "child_outputs", "tasks_parent"),
        (("metrics",), "summaries", "series_run"),
        (("runs",), "drivers", "runs_driver"),
    ],
)
def test_statements_of_the_hot_path_use_their_index(
    store: SqliteStore, nouns: tuple[str, ...], name: str, index: str
) -> None:
    sql = statements(*nouns)[name]
    named = dict.fromkeys(("run", "task", "limit"), 1)
    values = named if ":run" in sql else ["x"] * sql.count("?")
    plan = store._reading.rows(f"EXPLAIN QUERY PLAN {sql}", values)
    assert index in " ".join(row[3] for row in plan), plan
