"""Scalar points per second from `mainspring.log` inside a step, and when a reader sees them.

The floor writes lines of JSON, each handed to the kernel at once.
"""

from __future__ import annotations

import os
import statistics

import timing
import workloads
from timing import Row

K = 5


def measure(count: int) -> list[Row]:
    os.environ["PROBE_RESULT"] = "1"
    os.environ["PROBE_METRIC"] = str(count)
    with timing.project(workloads.POINTS, "pipeline:logged") as root:

        def ours() -> dict[str, float]:
            timing.forget(root)
            found = timing.answer("probe.py", "logged", f"n={count}", cwd=root)
            spent, last = found["result"]
            return {"rate": count / spent, "seen": 1000 * (found["seen"] - last)}

        def floor() -> dict[str, float]:
            return timing.answer("floors.py", "lines", root, count)

        a, b = timing.alternate(K, ours, floor)
    rates = [sample["rate"] for sample in a]
    seen = [sample["seen"] for sample in a]
    bare = timing.medians(b)["rate"]
    return [
        Row(f"{count:,} points by log()", statistics.median(rates), bare, "points/s", "200,000",
            timing.spread(rates)),
        Row(f"{count:,} points: the last one visible after", statistics.median(seen), None, "ms",
            "", timing.spread(seen)),
    ]  # fmt: skip


if __name__ == "__main__":
    timing.report(measure(10_000) + measure(200_000))
