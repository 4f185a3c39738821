"""Time to start, as whole processes, against an interpreter of the same environment."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import timing
import workloads
from timing import COMMAND, PYTHON, Row

K = 21
RUNS = 10_000
COPY = """
INSERT INTO runs ({names})
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
SELECT {values} FROM runs, numbers WHERE runs.number = 1
"""


def main() -> None:
    with timing.project(workloads.MAP.format(n=1), "pipeline:stamp") as root:
        timing.answer("probe.py", "stamp", cwd=root)
        add_runs(root / ".mainspring" / "store.db", RUNS)
        commands = {
            "mainspring --version": [COMMAND, "--version"],
            "mainspring --help": [COMMAND, "--help"],
            "import mainspring": [PYTHON, "-c", "import mainspring"],
            "import mainspring, step and pipeline": [
                PYTHON, "-c", "from mainspring import pipeline, step"
            ],
            f"mainspring runs, {RUNS:,} on record": [COMMAND, "runs"],
        }  # fmt: skip
        floor = [PYTHON, "-c", "pass"]
        found = timing.alternate(
            K,
            *(
                lambda words=words: timing.wall(words, root)
                for words in (floor, *commands.values())
            ),
        )
    bare, *mine = (timing.median(samples) for samples in found)
    goals = {name: "15x" if name.startswith("mainspring runs") else "8x" for name in commands}
    timing.report([
        Row(name, spent, bare, "ms", goals[name], timing.spread(samples))
        for name, spent, samples in zip(commands, mine, found[1:], strict=True)
    ])  # fmt: skip


def add_runs(store: Path, count: int) -> None:
    """Copy the only run, until there are `count`, each a second after the one before."""
    base = sqlite3.connect(store)
    names = [row[1] for row in base.execute("PRAGMA table_info(runs)")]
    new = {"number": "n + 1", "id": f"'{time.strftime('%Y%m%d')}-' || (100000 + n) || '-bench'"}
    new["created"] = "created + n"
    base.execute(COPY.format(
        names=", ".join(names), values=", ".join(new.get(name, name) for name in names),
        count=count - 1,
    ))  # fmt: skip
    base.commit()
    base.close()


if __name__ == "__main__":
    main()
