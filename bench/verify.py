"""Verifying a run against executing it again: the same steps, all of them forced."""

from __future__ import annotations

import timing
from timing import Row

K = 5
STEPS = 40
CODE = """
from mainspring import pipeline, step

@step
def work(n: int) -> float:
    total = 0.0
    for i in range(400_000):
        total += (i * n) & 7
    return total

@pipeline
def chain():
    return [work.options(name=f"w{i}")(i) for i in range(%d)]
"""


def measure() -> list[Row]:
    """The whole commands, in turn."""
    with timing.project(CODE % STEPS, "pipeline:chain") as root:
        forced = [word for n in range(STEPS) for word in ("--force", f"w{n}")]
        timing.wall([timing.COMMAND, "run"], root)

        def verify() -> float:
            return timing.wall([timing.COMMAND, "verify", "latest"], root)

        def again() -> float:
            return timing.wall([timing.COMMAND, "run", *forced], root)

        a, b = timing.alternate(K, verify, again)
    name = f"verify a run of {STEPS} steps"
    note = f"against `run` with every step forced; {timing.spread(a)}"
    return [Row(name, timing.median(a), timing.median(b), "ms", "1.1x", note)]


if __name__ == "__main__":
    timing.report(measure())
