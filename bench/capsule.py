"""A capsule of one large value: written, and imported elsewhere.

The floor for writing is `zip -0` of the same file, for importing `unzip` of that zip, each with
what it wrote synced to disk, as ours is. BENCH_BYTES says how large the value is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from itertools import count
from pathlib import Path

import timing
from timing import COMMAND, Row

K = 3
BYTES = int(os.environ.get("BENCH_BYTES", "1000000000"))
CODE = f"""\
from mainspring import pipeline, step
import numpy as np

@step
def large() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, {BYTES}, dtype=np.uint8)

@pipeline
def main():
    return large()
"""
numbers = count()


def main() -> None:
    with timing.project(CODE, "pipeline:main") as root:
        timing.wall([COMMAND, "run", "-q"], root)
        rows = measure(root)
    timing.report(rows)


def measure(root: Path) -> list[Row]:
    """Each in turn: our export and import, and zip and unzip."""
    blob = max((root / ".mainspring" / "blobs").rglob("*"), key=lambda path: path.stat().st_size)

    def ours() -> dict[str, float]:
        number = next(numbers)
        target = root.parent / f"x{number}.crate.zip"
        place = root.parent / f"elsewhere{number}"
        place.mkdir()
        (place / "mainspring.toml").write_text('[project]\nname = "elsewhere"\n')
        export = timing.wall([COMMAND, "export", "--unsigned", "-o", str(target)], root)
        taken = timing.wall([COMMAND, "import", "--allow-unsigned", str(target)], place)
        target.unlink()
        shutil.rmtree(place)
        return {"export": export / 1000, "import": taken / 1000}

    def floor() -> dict[str, float]:
        number = next(numbers)
        target, place = root.parent / f"y{number}.zip", root.parent / f"out{number}"
        write = seconds(["zip", "-0", "-q", "-j", str(target), str(blob)], target)
        read = seconds(["unzip", "-q", "-d", str(place), str(target)], place / blob.name)
        target.unlink()
        shutil.rmtree(place)
        return {"export": write, "import": read}

    a, b = timing.alternate(K, ours, floor)
    mine, bare = timing.medians(a), timing.medians(b)
    title = f"capsule of {BYTES / 1e9:g} GB"
    spread = {name: timing.spread([sample[name] for sample in a]) for name in mine}
    return [
        Row(f"{title}: written", mine["export"], bare["export"], "s",
            note=f"zip -0; {spread['export']}"),
        Row(f"{title}: imported", mine["import"], bare["import"], "s",
            note=f"unzip; {spread['import']}"),
    ]  # fmt: skip


def seconds(command: list[str], made: Path) -> float:
    """How long a program takes, with what it made on the disk."""
    start = time.perf_counter()
    subprocess.run(command, check=True)
    with made.open("rb") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
