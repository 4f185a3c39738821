"""Run the measurements and print one table.

    python bench/run.py [NAME ...]      names: steps fanout engines reuse start big points install
    python bench/run.py verify          verifying a run, against executing it again
    python bench/run.py blobs_remote    a bucket of a Ceph gateway here, against boto3
    python bench/run.py capsule         export and import of a gigabyte, against zip and unzip
    python bench/run.py datasets        20,000 files into a version
    python bench/run.py containers      steps in containers, against podman by hand
    python bench/run.py environments    built from a warm cache and recorded, against uv by hand
    python bench/run.py fingerprint     a step that reaches 500 modules, nothing changed
    python bench/run.py values          100,000 files, and gigabytes of each array format (minutes)
    python bench/run.py postgres        steps with records in PostgreSQL
    python bench/run.py search          10,000 runs (BENCH_RUNS=10000,1000000), found by metrics
    python bench/run.py peers           other systems, each in an environment of its own (minutes)
    python bench/run.py scale           100,000 elements, 5,000 steps, 100,000 runs (10 minutes)

Nothing here passes or fails: figures move with what else the machine does. Ratios are of the same
minutes.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time

import timing
from timing import Row

DEFAULT = ("start", "steps", "fanout", "engines", "reuse", "points", "big", "install")
NAMES = (
    *DEFAULT, "blobs_remote", "capsule", "containers", "datasets", "environments", "fingerprint",
    "peers", "postgres", "scale", "search", "values", "verify",
)  # fmt: skip


def main(names: list[str]) -> int:
    """Run the named benchmarks (default: DEFAULT); the exit status."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"error: no benchmark {unknown[0]!r}; there is {', '.join(NAMES)}", file=sys.stderr)
        return 2
    with timing.folder() as shared:
        rows, failed = measure(names or list(DEFAULT), str(shared))
    print(f"{time.strftime('%Y-%m-%d %H:%M')} · {machine()}\n")
    print(timing.table(rows))
    return failed


def measure(names: list[str], shared: str) -> tuple[list[Row], int]:
    """Each benchmark in a process of its own; the rows, and 1 if one could not be measured."""
    rows: list[Row] = []
    failed = 0
    for name in names:
        start = time.perf_counter()
        print(f"# {name}", file=sys.stderr, flush=True)
        command = [timing.PYTHON, str(timing.HERE / f"{name}.py")]
        env = {**timing.environment(), "BENCH_FOLDER": shared}
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            failed = 1
            print(f"error: {name} could not be measured", file=sys.stderr)
            continue
        rows += [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])]
        print(f"  ({time.perf_counter() - start:.0f} s)", file=sys.stderr, flush=True)
    return rows, failed


def machine() -> str:
    """What this was measured on."""
    import os
    import sqlite3

    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{platform.system()} {platform.release()}, {cores} cores, {memory:.0f} GiB"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
