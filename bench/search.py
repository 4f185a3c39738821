"""Finding runs: 10 metrics and 10 parameters each, filtered by one, ordered by another, top 50.

All facts of the 50 are fetched too, as `mainspring runs` does. The floor is two plain tables with
the one index that suits the question, in the same file system and process. `BENCH_RUNS=N,M` says
of how many runs (default: 10,000; the issue's other size is 1000000, which takes 3 minutes and
2 GB). The last row of each size is what
facts and points add to recording a run, in the three transactions that an engine makes of it.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import timing
from timing import Row

from mainspring.records.conditions import Search
from mainspring.records.metrics import Point
from mainspring.records.runs import Attempt, Run
from mainspring.records.status import AttemptStatus, RunStatus, TaskStatus, Wish
from mainspring.records.stores import NewTask
from mainspring.records.where import parse_order, parse_where
from mainspring.storage.sqlite import SqliteStore

K = 15
RECORDED = 300
SIZES = [int(text) for text in os.environ.get("BENCH_RUNS", "10000").split(",")]
MAIN = ("metrics.m3 > 0.5", "metrics.m5:desc")
OTHERS = [
    ("metrics.m3 > 0.99", "metrics.m5:desc"),
    ("metrics.m3 > 0.999", "metrics.m5:desc"),
    ("metrics.m3 > 0.5 and metrics.m5 < 0.1", "metrics.m5:desc"),
    ("metrics.m3 > 0.9 and params.p1 < 0.1 and metrics.m9 < 0.1", "metrics.m5"),
    ("metrics.m3 > 0.9 and metrics.m4 < 0.1", "metrics.m4:desc"),
    ("metrics.same > 0.9", "metrics.opposed:desc"),
    ("metrics.m3 > 0.5", None),
    ("metrics.m3 > 2", "metrics.m5:desc"),
]
"""Other questions. `opposed` is 1 - `same`: all that fit come last in the order."""

FLOOR = """
CREATE TABLE run (id INTEGER PRIMARY KEY, st TEXT);
CREATE TABLE m (run INT, k INT, v REAL, PRIMARY KEY (run, k)) WITHOUT ROWID;
CREATE TABLE p (run INT, k INT, v TEXT, PRIMARY KEY (run, k)) WITHOUT ROWID;
CREATE INDEX mi ON m (k, v, run);
"""


def a_run(number: int, parameters: dict[str, object]) -> Run:
    return Run(
        id=f"20260101-{number:09}", pipeline="p", status=RunStatus.QUEUED, wish=Wish.RUN, spec="s",
        snapshot="s", parameters=parameters, seed=1, created=1e9 + number,
    )  # fmt: skip


def fill(path: Path, count: int) -> None:
    """Runs as the store records them, but many in one statement: the index is made at the end."""
    SqliteStore(path)
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("PRAGMA synchronous = OFF")
    [index] = base.execute("SELECT sql FROM sqlite_master WHERE name = 'facts_value'").fetchone()
    base.execute("DROP INDEX facts_value")
    base.execute("BEGIN")
    base.executemany(
        "INSERT INTO runs (number, id, created, started, ended, pipeline, status, wish, spec,"
        " snapshot, parameters, seed)"
        " VALUES (?, ?, ?, ?, ?, 'p', 'succeeded', 'run', 's', 's', '{}', '1')",
        ((i, f"20260101-{i:09}", 1e9 + i, 1e9 + i, 1e9 + i + 5) for i in range(1, count + 1)),
    )  # fmt: skip
    base.executemany("INSERT INTO facts (run, name, number) VALUES (?, ?, ?)", facts(count))
    base.execute("COMMIT")
    base.execute(index)
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.close()


def facts(count: int) -> Iterator[tuple[int, str, float]]:
    """20 facts for each run, two of them opposed to each other."""
    chance = random.Random(1)
    names = [f"metrics.m{k}" for k in range(8)] + [f"params.p{k}" for k in range(10)]
    for run in range(1, count + 1):
        for name in names:
            yield run, name, chance.random()
        value = chance.random()
        yield run, "metrics.same", value
        yield run, "metrics.opposed", 1 - value


def floor(path: Path, count: int) -> Callable[[], int]:
    """The plain tables, and the question to them."""
    base = sqlite3.connect(path)
    base.execute("PRAGMA journal_mode = wal")
    base.executescript(FLOOR)
    chance = random.Random(1).random
    base.executemany("INSERT INTO run VALUES (?, 'ok')", ((i,) for i in range(count)))
    for table, kind in (("m", float), ("p", str)):
        rows = ((i, k, kind(chance())) for i in range(count) for k in range(10))
        base.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)
    base.commit()

    def ask() -> int:
        found = base.execute(  # CROSS JOIN: in the order that is asked for, until there are 50
            "SELECT b.run FROM m b CROSS JOIN m a ON a.run = b.run AND a.k = 3 AND a.v > 0.5"
            " WHERE b.k = 5 ORDER BY b.v DESC LIMIT 50"
        ).fetchall()
        runs = ", ".join(str(run) for (run,) in found)
        metrics = base.execute(f"SELECT * FROM m WHERE run IN ({runs})").fetchall()
        base.execute(f"SELECT * FROM p WHERE run IN ({runs})").fetchall()
        return len(metrics)

    return ask


def asked(store: SqliteStore, where: str, order: str | None) -> Callable[[], int]:
    """The same question to a store, parsing included."""

    def ask() -> int:
        field, descending = parse_order(order) if order else (None, False)
        runs = store.read.search(Search(parse_where(where), field, descending, 50))
        return len(store.read.facts([run.id for run in runs]))

    return ask


def clocked(call: Callable[[], int]) -> float:
    """Milliseconds of a call."""
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


def measure(count: int) -> list[Row]:
    with timing.folder() as root:
        fill(root / "ours.db", count)
        store = SqliteStore(root / "ours.db")
        ours, plain = asked(store, *MAIN), floor(root / "floor.db", count)
        first = clocked(ours)
        a, b = timing.alternate(K, lambda: clocked(ours), lambda: clocked(plain))
        goal = "10 ms" if count <= 10_000 else "50 ms"
        title = f"Search of {count:,} runs, top 50 with facts"
        note = f"first {first:.1f} ms, then {timing.spread(a)}"
        rows = [Row(f"{title}: `{MAIN[0]}` by `{MAIN[1]}`", timing.median(a), timing.median(b),
                    "ms", goal, note)]  # fmt: skip
        for where, order in OTHERS:
            call = asked(store, where, order)
            first, found = clocked(call), call()
            times = [clocked(call) for _ in range(5)]
            name = f"{title}: `{where}` by `{order or 'created:desc'}`"
            note = f"{found} found, first {first:.1f} ms"
            rows.append(Row(name, timing.median(times), None, "ms", "", note))
        return [*rows, *recording(store, count)]


def recording(store: SqliteStore, there: int) -> list[Row]:
    """Milliseconds to record a run of one task with 20 facts and 10 points, and with none."""
    numbers = iter(range(there + 1, there + 10 * RECORDED))

    def record(count: int) -> float:
        start = time.perf_counter()
        for _ in range(RECORDED):
            one_run(store, next(numbers), count)
        return 1000 * (time.perf_counter() - start) / RECORDED

    one_run(store, next(numbers), 10)
    a, b = timing.alternate(3, lambda: record(10), lambda: record(0))
    whole, without = timing.median(a), timing.median(b)
    note = f"of which facts and points {whole - without:.2f} ms; floor: the same without any"
    name = f"Recording a run with 10 parameters and 10 metrics, {there:,} runs there"
    return [Row(name, whole, without, "ms", "1 ms", note)]


def one_run(store: SqliteStore, number: int, count: int) -> None:
    """Three transactions: the run begins, its metrics are ingested, it ends."""
    run = a_run(number, {f"p{k}": random.random() for k in range(count)})
    with store.write() as tx:
        tx.add_run(run, b"{}")
        new = NewTask(path="train", node="train", kind="step", status=TaskStatus.READY)
        [task] = tx.add_tasks(run.id, [new])
        attempt = Attempt(
            id=run.id, task=task, run=run.id, number=1, status=AttemptStatus.RUNNING,
            engine="bench", epoch=1, started=1.0,
        )  # fmt: skip
        tx.begin(attempt, f"k{number}", "s", 0, {}, "new")
    points = [Point(name=f"m{k}", value=random.random(), step=None, at=1.0) for k in range(count)]
    with store.write() as tx:
        tx.add_points(run.id, task, run.id, points, 1)
    with store.write() as tx:
        tx.move_run(run.id, RunStatus.SUCCEEDED, 2e9)


def main() -> None:
    """Print the rows as JSON."""
    timing.report([row for count in SIZES for row in measure(count)])


if __name__ == "__main__":
    main()
