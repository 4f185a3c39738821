from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
from collections.abc import Iterator
import dataclasses
import numpy as np
import polars as pl
from mainspring import pipeline, step

@dataclasses.dataclass
class Batch:
    values: np.ndarray

    def total(self) -> float:
        return float(self.values.sum()) * 1

@step
def batches(n: int) -> Iterator[Batch]:
    for number in range(n):
        yield Batch(np.full(10, number))

@step
def total(batch: Batch) -> float:
    return batch.total()

@step
def frame(totals: list[float]) -> pl.DataFrame:
    return pl.DataFrame({"totals": totals})

@step
def count(all: list[Batch], frame: pl.DataFrame) -> int:
    return len(all) * 100 + int(frame["totals"].sum())

@pipeline
def sums(n: int = 3):
    made = batches(n)
    return count(made, frame(total.map(made)))
"""


def mainspring(root: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "mainspring", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_generator_of_objects_is_mapped_over(project: Path):
    (project / "sums.py").write_text(CODE, "utf-8")
    mainspring(project, "run", "sums:sums")
    assert mainspring(project, "artifacts", "open", "latest", "count").strip() == "330"
    assert "totals" in mainspring(project, "artifacts", "open", "latest", "frame")
    assert "Batch" in mainspring(project, "artifacts", "open", "latest", "batches")
    mainspring(project, "artifacts", "get", "latest", "frame")
    assert (project / "frame.arrow").read_bytes().startswith(b"ARROW1")


def test_the_code_of_a_class_inside_a_value_counts(project: Path):
    place = project / "sums.py"
    place.write_text(CODE, "utf-8")
    mainspring(project, "run", "sums:sums")
    place.write_text(CODE.replace("* 1\n", "* 2\n"), "utf-8")
    mainspring(project, "run", "sums:sums")
    assert mainspring(project, "artifacts", "open", "latest", "count").strip() == "360"
