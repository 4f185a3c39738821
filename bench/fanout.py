"""A map of 10,000 no-op elements: cost at its beginning and at its end, memory, time to start."""

from __future__ import annotations

import os
import statistics

import timing
import workloads
from timing import Row, spread

N = 10_000
PART = 1_000
K = 7


def measure_map() -> list[Row]:
    with timing.project(workloads.MAP.format(n=N), "pipeline:mapped") as root:
        found = timing.answer("probe.py", "mapped", cwd=root)
        modules = ("mainspring.execution.zygote", "pipeline")
        floor = timing.answer("floors.py", "forks", PART, 2, *modules, cwd=root)["per_step"]
    ends = found["ends"]
    first = 1000 * (ends[PART] - ends[0]) / PART
    last = 1000 * (ends[N] - ends[N - PART]) / PART
    grown = f"{last / first:.2f}x the first"
    parts = [ends[i + PART] - ends[i] for i in range(0, N, PART)]
    each = "per thousand, s: " + " ".join(f"{seconds:.1f}" for seconds in parts)
    return [
        Row("map of 10,000: per task, first 1,000", first, floor, "ms", "", "k=1"),
        Row("map of 10,000: per task, last 1,000", last, floor, "ms", "", grown),
        Row("map of 10,000: peak memory of the engine", found["rss"], None, "MB"),
        Row("map of 10,000: the whole run", found["wall"], None, "s", "", each),
    ]


def measure_start() -> list[Row]:
    os.environ["PROBE_RESULT"] = "1"
    with timing.project(workloads.MAP.format(n=N), "pipeline:stamp") as root:
        turn = iter(range(10 * K))

        def start() -> float:
            found = timing.answer("probe.py", "stamp", f"turn={next(turn)}", cwd=root)
            return 1000 * (found["result"] - found["begun"])

        def start_anew() -> float:
            timing.forget(root)
            return start()

        anew, again = timing.alternate(K, start_anew, start)
    what = "run() to the first task's start"
    return [
        Row(f"{what}, {home} home", statistics.median(times), None, "ms", "200 ms", spread(times))
        for home, times in (("empty", anew), ("used", again))
    ]


if __name__ == "__main__":
    timing.report(measure_map() + measure_start())
