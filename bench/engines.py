"""Two engines on one run against one: a map of 200 steps that sleep 50 ms, one worker each.

What counts is the time from the first element's start to the last one's end, with the engines up
and idle before the run is put on record. The ideal is half; what is lost goes to turns that follow
one another, and to the end, when one engine has nothing left.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import timing
import workloads
from timing import Row

sys.path.insert(0, str(timing.HERE.parent))

K = 3
N = 200
EXECUTION = "[execution]\nworkers = 1\n"


@contextmanager
def engines(root: Path, count: int) -> Iterator[None]:
    """So many engines, idle when the block begins."""
    command = [timing.COMMAND, "engine"]
    started = [
        subprocess.Popen(
            command, cwd=root, env=timing.environment(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(count)
    ]
    try:
        for engine in started:
            assert engine.stdout is not None
            engine.stdout.readline()
        yield
    finally:
        for engine in started:
            engine.send_signal(signal.SIGINT)
        for engine in started:
            engine.communicate()


def measure(root: Path, count: int, seed: int) -> float:
    """Milliseconds from the first element's start to the last one's end."""
    from mainspring.app.project import Project
    from mainspring.records.status import RUN_ENDED, RunStatus

    project = Project(root)
    try:
        with engines(root, count):
            words = [timing.COMMAND, "run", "--queue", "--seed", str(seed)]
            said = subprocess.check_output(words, cwd=root, env=timing.environment(), text=True)
            run = said.strip()
            while project.store.read.run(run).status not in RUN_ENDED:
                time.sleep(0.1)
        assert project.store.read.run(run).status is RunStatus.SUCCEEDED
        tasks = [task for task in project.store.read.tasks(run) if task.index is not None]
        assert len(tasks) == N
        started = [task.started for task in tasks if task.started is not None]
        ended = [task.ended for task in tasks if task.ended is not None]
        return 1000 * (max(ended) - min(started))
    finally:
        project.close()


def compare(title: str, server: Any) -> list[Row]:
    """One engine and two, in turn, on one store."""
    with timing.project(workloads.NAPS.format(n=N), "pipeline:naps") as root:
        storage = f'[storage]\nstore = "{server.new_database()}"\n' if server else ""
        with open(root / "mainspring.toml", "a", encoding="utf-8") as file:
            file.write(EXECUTION + storage)
        seeds = iter(range(1, 100))
        one, two = timing.alternate(
            K, lambda: measure(root, 1, next(seeds)), lambda: measure(root, 2, next(seeds))
        )
    a, b = timing.median(one), timing.median(two)
    floor = 50.0 * N
    what = f"map of {N} steps of 50 ms, {title}"
    speed = f"{a / b:.2f}x one engine; {timing.spread(two)}"
    return [
        Row(f"{what}: one engine", a, floor, "ms", "", timing.spread(one)),
        Row(f"{what}: two engines", b, floor / 2, "ms", "1.7x one", speed),
    ]


def main() -> list[Row]:
    from tests.services import postgres

    from mainspring.records.errors import ProjectError

    rows = compare("SQLite", None)
    if postgres.available():
        with postgres.running(durable=True) as server:
            try:
                rows += compare("PostgreSQL", server)
            except ProjectError as error:
                print(f"PostgreSQL left out: {error}", file=sys.stderr)
    return rows


if __name__ == "__main__":
    timing.report(main())
