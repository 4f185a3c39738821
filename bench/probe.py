"""Runs a pipeline of the project in the working directory, and says where the time went.

    python probe.py PIPELINE [name=value ...]     (prints one line of JSON)

`stages` are seconds inside the parts of a run; `per_step` is the slope between the end of the first
and of the last task, in ms; what comes before (starting the zygote) is in `stages.drive`.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    sys.path[0] = os.getcwd()
    module = importlib.import_module("pipeline")
    chosen = getattr(module, sys.argv[1])
    given = dict(word.split("=", 1) for word in sys.argv[2:])
    stages = watch()
    seen = watch_metric(int(os.environ.get("PROBE_METRIC", "0")))
    clock, begun = time.perf_counter(), time.time()
    run = chosen.run(**{name: json.loads(value) for name, value in given.items()})
    wall = time.perf_counter() - clock
    run.raise_for_status()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    tasks = run.project.store.read.tasks(run.id)
    ends = sorted(task.ended for task in tasks)
    statuses = sorted({task.status.value for task in tasks})
    found = {
        "run": run.id, "begun": begun, "wall": wall, "stages": stages, "rss": peak,
        "tasks": len(tasks), "statuses": statuses,
        "per_step": 1000 * (ends[-1] - ends[0]) / max(1, len(ends) - 1),
        "ends": ends,
    }  # fmt: skip
    if os.environ.get("PROBE_RESULT"):
        found["result"] = run.result
    if seen:
        found["seen"] = seen[0]
    if os.environ.get("PROBE_MEMORY"):
        attempts = [a for t in tasks for a in run.project.store.read.attempts(t.id)]
        found["peaks"] = [a.usage.peak_memory for a in attempts if a.usage]
    print(json.dumps(found))


def watch() -> dict[str, float]:
    """Have the stages of a run add up their seconds."""
    from mainspring.app import api
    from mainspring.app.project import Project

    stages: dict[str, float] = {}
    for name in ("make_plan", "create_run", "warm_up", "drive"):
        setattr(api, name, timed(stages, name, getattr(api, name)))
    for name in ("snapshot", "code"):
        setattr(Project, name, timed(stages, name, getattr(Project, name)))
    return stages


def watch_metric(count: int) -> list[float]:
    """Have another reader of the store look out for the point `count`; when it saw it."""
    from mainspring.app.project import Project
    from mainspring.records.stores import RunFilter

    seen: list[float] = []

    def look() -> None:
        read = Project(Path.cwd()).store.read
        while not seen:
            for run in read.runs(RunFilter()):
                if any(metric.count == count for metric in read.metrics(run.id)):
                    seen.append(time.time())
            time.sleep(0.01)

    if count:
        threading.Thread(target=look, daemon=True).start()
    return seen


def timed(stages: dict[str, float], name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, its seconds added to `stages[name]`."""

    def timed_call(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return call(*args, **kwargs)
        finally:
            stages[name] = stages.get(name, 0.0) + time.perf_counter() - start

    return timed_call


if __name__ == "__main__":
    main()
