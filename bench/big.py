"""A gigabyte of float32 from one step to the next, durable.

The floor is, in one process: generate, BLAKE3 with two threads, write, fsync, map.
"""

from __future__ import annotations

import os
from pathlib import Path

import timing
import workloads
from timing import Row

K = 3
COUNT = 250_000_000


def main() -> None:
    os.environ["PROBE_MEMORY"] = "1"
    size = COUNT * 4 / 1e6
    with timing.project(workloads.BIG.format(n=COUNT), "pipeline:big") as root:

        def ours() -> dict[str, float]:
            timing.forget(root)
            found = timing.answer("probe.py", "big", cwd=root)
            peaks = sorted(peak / 1e6 / size for peak in found["peaks"])
            disk = bytes_of(root / ".mainspring" / "blobs") / 1e6 / size
            drive = found["stages"]["drive"]
            return {"wall": found["wall"], "drive": drive, "peak": peaks[-1], "disk": disk}

        def floor() -> dict[str, float]:
            return timing.answer("floors.py", "array", root, COUNT)

        a, b = timing.alternate(K, ours, floor)
    mine, bare = timing.medians(a), timing.medians(b)
    note = timing.spread([sample["wall"] for sample in a])
    note += f"; floor {timing.spread([sample['wall'] for sample in b])}"
    note += f", of it generating {bare['generate']:.2f} s"
    timing.report([
        Row("1 GB float32, run() of two steps", mine["wall"], bare["wall"], "s", "1.25x", note),
        Row("1 GB float32, peak of a worker / array", mine["peak"], 1.0, "arrays"),
        Row("1 GB float32, bytes on disk / array", mine["disk"], 1.0, "arrays"),
    ])  # fmt: skip


def bytes_of(folder: Path) -> int:
    """The bytes that a directory's files take on the disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
