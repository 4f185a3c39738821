"""Overhead of a no-op step with records in PostgreSQL (fsync on): chain of 100, fan of 200.

Ours is the slope between the end of the first task and the end of the last one. The floor is fork
and wait of a process with the same modules, plus two durable commits on the same server, as many at
once. The server is on this machine, started for the occasion.

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


def main() -> list[Row]:
    sys.path.append(str(timing.HERE.parent))
    from tests.services import postgres

    if not postgres.available():
        print("PostgreSQL left out: there is no server on this machine", file=sys.stderr)
        return []
    with postgres.running(durable=True) as server:
        return [measure(shape, server) for shape in SHAPES]


if __name__ == "__main__":
    if sys.argv[1:2] == ["floor"]:
        url, *words = sys.argv[2:]
        count, slots, *modules = words
        print(json.dumps(floor(url, int(count), int(slots), *modules)))
    else:
        timing.report(main())
