"""A run of which everything is reused: inside the process, and the whole command.

The floor inside is what an index and a durable commit cost: one look-up per step, and as many rows
inserted at once. The floor of the command is an interpreter that does nothing.
"""

from __future__ import annotations

import timing
import workloads
from timing import Row

K = 7
SHAPES = {"chain": (workloads.CHAIN.format(n=100), 101), "fan": (workloads.FAN.format(n=200), 202)}


def measure(shape: str) -> list[Row]:
    code, count = SHAPES[shape]
    name = f"pipeline:{shape}"
    # Two projects, because the command sees another sys.path: each keeps its own caches warm.
    with timing.project(code, name) as root, timing.project(code, name) as other:
        timing.answer("probe.py", shape, cwd=root)
        timing.wall([timing.COMMAND, "run"], other)

        def inside() -> dict[str, float]:
            found = timing.answer("probe.py", shape, cwd=root)
            if found["statuses"] != ["reused"]:
                raise SystemExit(f"not everything was reused: {found['statuses']}")
            stages = {name: 1000 * spent for name, spent in found["stages"].items()}
            return {**stages, "wall": 1000 * found["wall"]}

        def floor() -> float:
            return 1000 * timing.answer("floors.py", "rows", root, count)["wall"]

        def command() -> float:
            return timing.wall([timing.COMMAND, "run"], other)

        def bare() -> float:
            return timing.wall([timing.PYTHON, "-c", "pass"], root)

        a, b, c, d = timing.alternate(K, inside, floor, command, bare)
    mine = timing.medians(a)
    both = mine["make_plan"] + mine["create_run"]
    note = ", ".join(f"{name} {mine[name]:.1f}" for name in ("make_plan", "create_run", "snapshot"))
    note += f", code {mine['code']:.1f}; whole run() {mine['wall']:.0f} ms"
    name = f"{shape} of {count - 1}, all reused"
    return [
        Row(f"{name}: plan and record", both, timing.median(b), "ms", "50 ms", note),
        Row(f"{name}: `mainspring run`", timing.median(c), timing.median(d), "ms", "300 ms",
            timing.spread(c)),
    ]  # fmt: skip


if __name__ == "__main__":
    timing.report([row for shape in SHAPES for row in measure(shape)])
