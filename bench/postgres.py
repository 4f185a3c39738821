"""With records in PostgreSQL (fsync on): no-op steps, a large map, reuse, and a store's long past.

Of steps, ours is the slope between the end of the first task and the end of the last one. The
floor is fork and wait of a process with the same modules, plus two durable commits on the same
server, as many at once. Of verbs in a store of many runs (`PAST_RUNS=N`, default 10,000), the floor
is the same verb in a store of 100. The server is on this machine, started for the occasion.

    python postgres.py floor URL COUNT SLOTS MODULE...       (prints one line of JSON)
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from typing import Any

import timing
import workloads
from timing import Row

K = 3
ZYGOTE = "mainspring.execution.zygote"
MAP = 10_000
PART = 1_000
RUNS = int(os.environ.get("PAST_RUNS", "10000"))
FEW = 100
VERBS = {
    "runs": "200 ms", "runs --status failed": "", "runs --pipeline other": "", "show latest": "",
    "why latest train": "", "plan": "", "run --quiet": "",
}  # fmt: skip
GOALS = {"chain": "2x", "fan": ""}
SHAPES = {
    "chain": (workloads.CHAIN.format(n=100), 100, 1, "chain of 100"),
    "fan": (workloads.FAN.format(n=200), 201, 2, "fan of 200 + join"),
}


def floor(url: str, count: int, slots: int, *modules: str) -> dict[str, float]:
    """Fork and wait of a process with these modules, `slots` at once, two commits for each."""
    import psycopg

    sys.path[0] = os.getcwd()
    for name in modules:
        importlib.import_module(name)
    base = psycopg.connect(url, autocommit=True)
    base.execute("CREATE TABLE IF NOT EXISTS floor (id serial PRIMARY KEY, key text, body text)")
    gc.collect()
    gc.freeze()
    start, running, begun = time.perf_counter(), 0, 0
    while begun < count or running:
        while running < slots and begun < count:
            _commit(base, begun)
            if os.fork() == 0:
                os._exit(0)
            begun, running = begun + 1, running + 1
        os.wait()
        running -= 1
        _commit(base, begun)
    return {"per_step": 1000 * (time.perf_counter() - start) / count}


def _commit(base: Any, number: int) -> None:
    base.execute("INSERT INTO floor (key, body) VALUES (%s, %s)", (str(number), "x" * 100))


def measure(shape: str, server: Any) -> Row:
    code, count, slots, title = SHAPES[shape]
    with timing.project(workloads.LIBRARIES + code, f"pipeline:{shape}") as root:

        def ours() -> dict[str, float]:
            timing.forget(root)
            os.environ["MAINSPRING_STORE"] = server.new_database()
            return timing.answer("probe.py", shape, cwd=root)

        def bare() -> dict[str, float]:
            words = ("floor", server.url, count, slots, ZYGOTE, "pipeline")
            return timing.answer("postgres.py", *words, cwd=root)

        a, b = timing.alternate(K, ours, bare)
    mine, least = timing.medians(a), timing.medians(b)
    note = timing.spread([sample["per_step"] for sample in a])
    name = f"PostgreSQL, {title}, numpy + sklearn: per step"
    return Row(name, mine["per_step"], least["per_step"], "ms", GOALS[shape], note)


def measure_map(server: Any) -> list[Row]:
    """A map of 10,000 no-op elements: its first thousand and its last."""
    with timing.project(workloads.MAP.format(n=MAP), "pipeline:mapped") as root:
        os.environ["MAINSPRING_STORE"] = server.new_database()
        found = timing.answer("probe.py", "mapped", cwd=root)
        words = ("floor", server.url, PART, 2, ZYGOTE, "pipeline")
        least = timing.answer("postgres.py", *words, cwd=root)["per_step"]
    ends = found["ends"]
    first = 1000 * (ends[PART] - ends[0]) / PART
    last = 1000 * (ends[MAP] - ends[MAP - PART]) / PART
    name = f"PostgreSQL, map of {MAP:,}, bare: per task"
    return [
        Row(f"{name}, first {PART:,}", first, least, "ms", "", "k=1"),
        Row(f"{name}, last {PART:,}", last, least, "ms", "", f"{last / first:.2f}x the first"),
        Row(f"PostgreSQL, map of {MAP:,}: peak memory of the engine", found["rss"], None, "MB"),
    ]


def measure_reuse(server: Any) -> list[Row]:
    """Everything is reused: the part inside of the process, and the whole command."""
    rows: list[Row] = []
    for shape in ("chain", "fan"):
        code, _, _, title = SHAPES[shape]
        with timing.project(code, f"pipeline:{shape}") as root:
            os.environ["MAINSPRING_STORE"] = server.new_database()
            timing.answer("probe.py", shape, cwd=root)
            timing.wall([timing.COMMAND, "run"], root)  # the command sees another sys.path
            a, b, c = timing.alternate(
                K,
                lambda r=root, s=shape: timing.answer("probe.py", s, cwd=r)["stages"],
                lambda r=root: timing.wall([timing.COMMAND, "run"], r),
                lambda r=root: timing.wall([timing.PYTHON, "-c", "pass"], r),
            )
        stages = timing.medians(a)
        both = 1000 * (stages["make_plan"] + stages["create_run"])
        name = f"PostgreSQL, {title}, all reused"
        rows += [
            Row(f"{name}: plan and record", both, None, "ms", "", f"k={K}"),
            Row(f"{name}: `mainspring run`", timing.median(b), timing.median(c), "ms", "",
                timing.spread(b)),
        ]  # fmt: skip
    return rows


def measure_past(server: Any) -> list[Row]:
    """Verbs as whole processes, in a store of many runs and in one of few."""
    rows: list[Row] = []
    stores = {count: server.new_database() for count in (RUNS, FEW)}
    with timing.project(workloads.PAST, "pipeline:past") as root:
        for count, url in stores.items():
            os.environ["MAINSPRING_STORE"] = url
            spent = timing.answer("past.py", count, cwd=root)["seconds"]
            if count == RUNS:
                rows.append(Row(f"PostgreSQL, {RUNS:,} runs put on record", spent, None, "s"))
            server.execute("ANALYZE", url)
        turn = iter(range(1, 1_000_000))

        def call(verb: str, count: int) -> float:
            os.environ["MAINSPRING_STORE"] = stores[count]
            more = ["-p", f"turn={RUNS + next(turn)}"] if verb.startswith("run ") else []
            return timing.wall([timing.COMMAND, *verb.split(), *more], cwd=root)

        for verb, goal in VERBS.items():
            there, here = timing.alternate(
                5, lambda v=verb: call(v, RUNS), lambda v=verb: call(v, FEW)
            )
            name = f"PostgreSQL, `{verb}`, {RUNS:,} runs (floor: {FEW})"
            ours, least = timing.median(there), timing.median(here)
            rows.append(Row(name, ours, least, "ms", goal, timing.spread(there)))
    return rows


def main() -> list[Row]:
    sys.path.append(str(timing.HERE.parent))
    from tests.services import postgres

    if not postgres.available():
        print("PostgreSQL left out: there is no server on this machine", file=sys.stderr)
        return []
    with postgres.running(durable=True) as server:
        rows = [measure(shape, server) for shape in SHAPES]
        return rows + measure_reuse(server) + measure_map(server) + measure_past(server)


if __name__ == "__main__":
    if sys.argv[1:2] == ["floor"]:
        url, *words = sys.argv[2:]
        count, slots, *modules = words
        print(json.dumps(floor(url, int(count), int(slots), *modules)))
    else:
        timing.report(main())
