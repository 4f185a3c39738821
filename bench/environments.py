"""Environments: built by uv from its warm cache, and recorded with a run.

The floor of a build is what uv takes for the same packages by hand: `uv venv` and `uv pip sync`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import timing
from timing import Row

K = 7
PACKAGES = ("numpy", "threadpoolctl", "joblib", "scipy", "scikit-learn")
FLOW = """
import sklearn
from mainspring import pipeline, step

@step
def go(x: float) -> float:
    return x

@pipeline
def p(x: float = 1.0):
    go(x)
"""
RECORD = """
import json, sys, time
from pathlib import Path
from mainspring.app.project import Project
from mainspring.app.planning import work_of
from mainspring.cli.planned import plan_now
from mainspring.app.recording import record, used_by
project = Project(Path(sys.argv[1]))
planned = plan_now(project, None, {})
works = list(work_of(planned.spec))
statics = [planned.context.static(work)[1] for work in works]
code = project.code(planned.plan.snapshot)
start = time.perf_counter()
record(project, code, used_by(code, zip(works, statics)))
print(json.dumps(1000 * (time.perf_counter() - start)))
"""


def main() -> None:
    """Print the rows as JSON."""
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit("there is no uv on PATH")
    with timing.project(FLOW, "pipeline:p") as root:
        subprocess.run([timing.COMMAND, "run"], cwd=root, env=timing.environment(),
                       check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        pins = root / "pins.txt"
        pins.write_text(lock(uv), encoding="utf-8")
        build(root)
        by_hand(uv, root, pins)
        a, b = timing.alternate(K, lambda: build(root), lambda: by_hand(uv, root, pins))
        there = [build(root, again=True) for _ in range(K)]
        (root / ".mainspring" / "cache" / "recorded").unlink()
        first = recorded(root)
        kept = [recorded(root) for _ in range(K)]
    note = f"{len(PACKAGES)} packages (scikit-learn and what it needs)"
    timing.report([
        Row("Environment built, uv's cache warm", timing.median(a), timing.median(b), "ms",
            "500 ms", note),
        Row("Environment that is there", timing.median(there), None, "ms", "", "inside a process"),
        Row("Recording a run's environment", timing.median(kept), None, "ms", "5 ms",
            f"the first time after an installation {first:.0f} ms"),
    ])  # fmt: skip


def lock(uv: str) -> str:
    """Hash-pinned requirements of the packages, as they are installed here."""
    from importlib.metadata import version

    wanted = "".join(f"{name}=={version(name)}\n" for name in PACKAGES)
    words = [uv, "pip", "compile", "--no-deps", "--generate-hashes", "--no-header", "-"]
    done = subprocess.run(words, input=wanted, capture_output=True, text=True, check=True)
    return done.stdout


BUILD = """
import json, sys, time
from pathlib import Path
from mainspring.execution.environments import Environments
from mainspring.planning import locks
from mainspring.records.canonical import digest_bytes
data = Path(sys.argv[1], "pins.txt").read_bytes()
lock = locks.read({"pins.txt": digest_bytes(data)}, lambda _: data, "pins.txt",
                  running=sys.version_info[:2])
built = Environments(Path(sys.argv[1], ".mainspring"), lambda _: data)
start = time.perf_counter()
built.build(lock)
print(json.dumps(1000 * (time.perf_counter() - start)))
"""


def build(root: Path, *, again: bool = False) -> float:
    """Milliseconds of a build; with `again` of finding what is there."""
    if not again:
        shutil.rmtree(root / ".mainspring" / "environments", ignore_errors=True)
    return _inside(BUILD, root)


def recorded(root: Path) -> float:
    """Milliseconds of recording."""
    return _inside(RECORD, root)


def by_hand(uv: str, root: Path, pins: Path) -> float:
    """Milliseconds of uv alone."""
    place = root / ".by-hand"
    shutil.rmtree(place, ignore_errors=True)
    start = time.perf_counter()
    for words in (
        ["venv", "--python", timing.PYTHON, str(place)],
        ["pip", "sync", "--python", str(place / "bin" / "python"), str(pins)],
    ):
        subprocess.run([uv, "--offline", "-q", *words], check=True)
    return 1000 * (time.perf_counter() - start)


def _inside(code: str, root: Path) -> float:
    done = subprocess.run(
        [timing.PYTHON, "-c", code, str(root)], cwd=root, env=timing.environment(),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(json.loads(done.stdout))


if __name__ == "__main__":
    main()
