"""Overhead of a no-op step, isolated and durable: chain of 100, fan of 200 and a join.

Ours is the slope between the end of the first task and the end of the last one. The floor is fork
and wait of a process with the same modules, plus two durable SQLite commits, as many at once.
"""

from __future__ import annotations

import timing
import workloads
from timing import Row

K = 5
ZYGOTE = "mainspring.execution.zygote"
GOALS = {"chain": "2x", "fan": "1.5x", "mapped": ""}
SHAPES = {
    "chain": (workloads.CHAIN.format(n=100), 100, 1, "chain of 100"),
    "fan": (workloads.FAN.format(n=200), 201, 2, "fan of 200 + join"),
    "mapped": (workloads.MAP.format(n=200), 201, 2, "map of 200 + join"),
}


def measure(shape: str, loaded: bool) -> list[Row]:
    code, count, slots, title = SHAPES[shape]
    code = workloads.LIBRARIES + code if loaded else code
    with timing.project(code, f"pipeline:{shape}") as root:

        def ours() -> dict[str, float]:
            timing.forget(root)
            found = timing.answer("probe.py", shape, cwd=root)
            return {**found, "drive": 1000 * found["stages"]["drive"], "wall": 1000 * found["wall"]}

        def floor() -> dict[str, float]:
            return timing.answer("floors.py", "forks", count, slots, ZYGOTE, "pipeline", cwd=root)

        a, b = timing.alternate(K, ours, floor)
    mine, bare = timing.medians(a), timing.medians(b)
    name = f"{title}, {'numpy + sklearn' if loaded else 'bare'}"
    note = timing.spread([sample["per_step"] for sample in a])
    note += f"; fork alone {bare['fork']:.2f}, a new file {bare['create']:.2f}"
    note += f"; whole run() {mine['wall']:.0f} ms, of it drive {mine['drive']:.0f}"
    return [Row(f"{name}: per step", mine["per_step"], bare["per_step"], "ms", GOALS[shape], note)]


if __name__ == "__main__":
    timing.report(
        [row for load in (False, True) for shape in SHAPES for row in measure(shape, load)]
    )
