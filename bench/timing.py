"""What the measurements share: alternating repeats, child processes, projects, the table."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PYTHON = sys.executable
COMMAND = str(Path(sys.executable).with_name("mainspring"))
SETTINGS = '[project]\nname = "bench"\npipelines = ["{pipelines}"]\n'


@dataclass
class Row:
    """One line of the table: medians in `unit`; `goal` is in the unit, or a ratio with an `x`."""

    what: str
    ours: float
    floor: float | None = None
    unit: str = "ms"
    goal: str = ""
    note: str = ""


def alternate(k: int, *measure: Callable[[], Any]) -> list[list[Any]]:
    """Call each function in turn, k times over (A B A B), so that both see the same machine."""
    found: list[list[Any]] = [[] for _ in measure]
    for _ in range(k):
        for samples, function in zip(found, measure, strict=True):
            samples.append(function())
    return found


def medians(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of every number that the samples have."""
    names = [name for name, value in samples[0].items() if isinstance(value, int | float)]
    return {name: statistics.median(sample[name] for sample in samples) for name in names}


def median(values: list[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def spread(values: list[float]) -> str:
    """How far the samples lie apart."""
    return f"{min(values):.4g}-{max(values):.4g}, k={len(values)}"


def wall(command: list[str], cwd: Path | None = None) -> float:
    """Milliseconds that a whole process takes."""
    start = time.perf_counter()
    subprocess.run(command, cwd=cwd, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - start)


def answer(script: str, *arguments: object, cwd: Path | None = None) -> dict[str, Any]:
    """Run a script of this directory in a fresh interpreter; what its last line says, as JSON."""
    command = [PYTHON, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, env=environment(), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{script} {' '.join(map(str, arguments))} failed:\n{done.stdout}")
    return json.loads(done.stdout.splitlines()[-1])


def environment() -> dict[str, str]:
    """This process's environment, but with compiled modules kept (a user's are), and one BLAS
    thread, as in a zygote: a pool of threads would have to be ended and begun at every fork."""
    left_out = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "MAINSPRING_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@contextmanager
def folder() -> Iterator[Path]:
    """A directory that is gone afterwards; BENCH_TMP says on which disk.

    Below `run.py` it is gone when all is measured. Nothing is deleted between samples: for a while
    ext4 does not use a deleted file's inode again, and looks past each of them, one by one,
    whenever a file is created, which was seen to cost up to 1 ms a file.
    """
    shared = os.environ.get("BENCH_FOLDER")
    place = shared or os.environ.get("BENCH_TMP")
    made = Path(tempfile.mkdtemp(prefix="mainspring-bench-", dir=place))
    try:
        yield made
    finally:
        if not shared:
            shutil.rmtree(made, ignore_errors=True)


@contextmanager
def project(code: str, pipelines: str) -> Iterator[Path]:
    """A project of one module, `pipeline.py`, that is gone afterwards."""
    with folder() as tmp:
        root = tmp / "project"
        root.mkdir()
        (root / "mainspring.toml").write_text(SETTINGS.format(pipelines=pipelines))
        (root / "pipeline.py").write_text(code)
        yield root


def forget(root: Path) -> None:
    """Put a project's past aside, without deleting it (see `folder`)."""
    home = root / ".mainspring"
    if home.exists():
        home.rename(root.parent / f"past-{len(list(root.parent.iterdir()))}")


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| what | ours | floor | ratio | goal | note |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        floor = f"{row.floor:,.4g} {row.unit}" if row.floor is not None else ""
        ratio = f"{row.ours / row.floor:.2f}x" if row.floor else ""
        ours = f"{row.ours:,.0f}" if row.ours >= 1000 else f"{row.ours:.4g}"
        lines.append(
            f"| {row.what} | {ours} {row.unit} | {floor} | {ratio} | {row.goal} | {row.note} |"
        )
    return "\n".join(lines)


def report(rows: list[Row]) -> None:
    """Print one benchmark's rows, for people and (last line) for run.py."""
    print(table(rows), file=sys.stderr, flush=True)
    print(json.dumps([vars(row) for row in rows]), flush=True)
