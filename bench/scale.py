"""Large things on one machine: a map of 100,000, pipelines of 5,000 steps, 100,000 runs in a store.

The map runs in real workers (`SCALE_MAP=N` for another size); its cost per task is compared with
that of a map of 1,000. Of the pipelines only what the system itself does is measured, by
`scale_stages.py`: attempts end at once. The store's past is written by `past.py`; verbs are whole
processes, in it and in a store of 100 runs. Takes about 10 minutes.
"""

from __future__ import annotations

import math
import os

import timing
import workloads
from timing import Row, spread

MAP = int(os.environ.get("SCALE_MAP", "100000"))
PART = 1_000
SHAPES = ("chain", "fan", "dag", "groups", "rounds")
SIZES = (500, 1_000, 2_000, 4_000, 8_000)
RUNS = int(os.environ.get("SCALE_RUNS", "100000"))
FEW = 100
K = 5
VERBS = (
    "runs", "runs --pipeline other", "runs --status failed", "runs --status queued", "show latest",
    "why latest train", "plan", "run --quiet",
)  # fmt: skip


def measure_map() -> list[Row]:
    found = {}
    for n in (PART, MAP):
        with timing.project(workloads.MAP.format(n=n), "pipeline:mapped") as root:
            found[n] = timing.answer("probe.py", "mapped", cwd=root)
    small, large = found[PART]["ends"], found[MAP]["ends"]
    each = 1000 * (small[PART] - small[0]) / PART
    whole = 1000 * (large[MAP] - large[0]) / MAP
    last = 1000 * (large[MAP] - large[MAP - PART]) / PART
    return [
        Row(f"map of {MAP:,}: per task (floor: of {PART:,})", whole, each, "ms", "1.5x", "k=1"),
        Row(f"map of {MAP:,}: per task, last {PART:,}", last, each, "ms", "1.5x", "k=1"),
        Row(f"map of {MAP:,}: peak memory of the engine", found[MAP]["rss"], None, "MB", "300 MB"),
    ]


def measure_shapes() -> list[Row]:
    rows: list[Row] = []
    for shape in SHAPES:
        with timing.project(workloads.SHAPES, "pipeline:chain") as root:
            found = {n: timing.answer("scale_stages.py", shape, n, cwd=root) for n in SIZES}
        for stage in ("trace", "plan", "record", "drive", "show", "replan"):
            times = [1000 * found[n][stage] for n in SIZES]
            at = 5_000 * times[-1] / SIZES[-1]
            note = f"seconds ~ steps^{exponent(SIZES, times):.2f}"
            rows.append(Row(f"{shape} of 5,000 steps: {stage}", at, None, "ms", "", note))
        size = found[SIZES[-1]]["spec"] / SIZES[-1]
        rows.append(Row(f"{shape}: bytes of the spec for each step", size, None, "B"))
    return rows


def exponent(sizes: tuple[int, ...], times: list[float]) -> float:
    """The slope of the line through the logarithms."""
    xs, ys = [math.log(n) for n in sizes], [math.log(t) for t in times]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum(
        (a - x) ** 2 for a in xs
    )


def measure_past() -> list[Row]:
    with (
        timing.project(workloads.PAST, "pipeline:past") as long,
        timing.project(workloads.PAST, "pipeline:past") as short,
    ):
        built = timing.answer("past.py", RUNS, "--files", cwd=long)["seconds"]
        timing.answer("past.py", FEW, "--files", cwd=short)
        rows = [Row(f"{RUNS:,} runs put on record by the store's moves", built, None, "s")]
        turn = iter(range(1, 1_000_000))
        for verb in VERBS:

            def call(root, verb=verb):
                more = ["-p", f"turn={RUNS + next(turn)}"] if verb.startswith("run ") else []
                return timing.wall([timing.COMMAND, *verb.split(), *more], cwd=root)

            there, here = timing.alternate(K, lambda c=call: c(long), lambda c=call: c(short))
            rows.append(
                Row(f"`{verb}`, {RUNS:,} runs (floor: {FEW})", timing.median(there),
                    timing.median(here), "ms", "200 ms" if verb.startswith("runs") else "",
                    spread(there))
            )  # fmt: skip
        sweep = timing.wall([timing.COMMAND, "gc", "--dry-run"], cwd=long) / 1000
        rows.append(Row(f"`gc --dry-run`, {RUNS:,} runs", sweep, None, "s", "", "k=1"))
    return rows


if __name__ == "__main__":
    timing.report(measure_shapes() + measure_past() + measure_map())
