"""One trial: a run whose engine, zygote and workers are killed (-9) at random instants."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil

from mainspring.app.project import Project
from mainspring.records.runs import Outcome
from mainspring.records.status import (
    RUN_ENDED,
    TASK_SETTLED,
    AttemptStatus,
    RunStatus,
    TaskStatus,
)
from mainspring.records.stores import RunFilter

PIPELINE = '''
"""Thirty tasks and more: a chain, a map, a repeat, a branch, and steps that fail at first."""
import time

from mainspring import context, pipeline, repeat, step, when

QUICK = {"retries": 3, "retry_delay": "0.02s"}


@step
def start(n: int) -> int:
    return n


@step(**QUICK)
def grow(x: int, by: int = 1) -> int:
    time.sleep(0.004 * (x % 5))
    return x + by


@step(**QUICK)
def flaky(x: int) -> int:
    if context().attempt.endswith(".1"):
        raise RuntimeError("the first try always fails")
    return x * 2


@step
def spread(x: int) -> list[int]:
    return [x + i for i in range(10)]


@step(**QUICK)
def square(x: int) -> int:
    if x % 4 == 0 and context().attempt.endswith(".1"):
        raise RuntimeError("every fourth element fails at first")
    time.sleep(0.003)
    return x * x


@step
def total(xs: list[int]) -> int:
    return sum(xs)


@pipeline
def improve(x: int, rounds_left: int):
    better = grow(x, by=100)
    return {"x": flaky(better), "rounds_left": grow(rounds_left, by=-1)}


@pipeline
def chaos(n: int = 3):
    x = start(n)
    for _ in range(6):
        x = grow(x)
    y = flaky(x)
    squares = square.map(spread(y))
    z = total(squares)
    loop = repeat(improve, until=lambda out: out.rounds_left <= 0, max=4)(x=z, rounds_left=3)
    with when(loop.x > 0):
        good = grow(loop.x, by=7)
    with when(loop.x < 0):
        bad = grow(loop.x, by=8)
        grow(bad)
    sides = [grow(y, by=i) for i in range(5)]
    return total([good, z, *sides])
'''


def make_project(root: Path) -> Path:
    """Write the pipeline's project into `root`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "mainspring.toml").write_text('[project]\nname = "chaos"\npipelines = ["p:chaos"]\n')
    (root / "p.py").write_text(PIPELINE)
    return root


def command(root: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start `mainspring` in a project, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "mainspring", *words],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def undisturbed(root: Path) -> dict[str, str]:
    """Return the artifact digests of a run that nobody disturbs."""
    make_project(root)
    process = command(root, "run")
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out.decode()
    return digests(Project(root))


def digests(project: Project) -> dict[str, str]:
    """Return `task.output` -> digest of the only run of a project."""
    [run] = project.store.read.runs(RunFilter(limit=5))
    return {
        f"{path}.{name}": ref.digest for path, name, ref in project.store.read.artifacts(run.id)
    }


def trial(root: Path, seed: int, expected: dict[str, str]) -> None:
    """Run, kill at random instants, resume until done; then check every promise."""
    draw = random.Random(seed)
    make_project(root)
    kills = draw.randint(1, 4)
    output: list[str] = []
    for number in range(kills + 12):
        process = command(root, *_next_words(root))
        if number < kills:
            _disturb(process, root, draw)
        out, _ = process.communicate(timeout=120)
        output.append(out.decode(errors="replace"))
        if _status(root) is RunStatus.SUCCEEDED:
            break
    story = "\n-----\n".join(output)
    assert _status(root) is RunStatus.SUCCEEDED, story
    check(root, expected, story)


def _next_words(root: Path) -> tuple[str, ...]:
    return ("resume", "latest") if _status(root) is not None else ("run",)


def _status(root: Path) -> RunStatus | None:
    if not (root / ".mainspring" / "store.db").exists():
        return None
    project = Project(root)
    try:
        runs = project.store.read.runs(RunFilter(limit=1))
        return runs[0].status if runs else None
    finally:
        project.close()


def _disturb(process: subprocess.Popen[bytes], root: Path, draw: random.Random) -> None:
    """Kill somebody at a random instant; sometimes several, one after the other.

    Most instants are drawn from the run itself, the others from the start of the process too.
    """
    if draw.random() < 0.85:
        limit = time.monotonic() + 10
        while _status(root) is not RunStatus.RUNNING and time.monotonic() < limit:
            if process.poll() is not None:
                return
    for _ in range(draw.choice([1, 1, 2, 3])):
        moment = draw.uniform(0.0, 0.8)
        until = time.monotonic() + moment
        while time.monotonic() < until and process.poll() is None:
            time.sleep(0.002)  # the instant of the kill is what the trial draws
        if process.poll() is not None:
            return
        victim = draw.choice(["engine", "engine", "zygote", "worker", "all"])
        for pid in _victims(process.pid, victim):
            _kill(pid)
        if victim in ("engine", "all"):
            return


def _victims(engine: int, victim: str) -> list[int]:
    try:
        family = psutil.Process(engine).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    direct = [child.pid for child in family if _parent(child) == engine]
    others = [child.pid for child in family if child.pid not in direct]
    return {
        "engine": [engine],
        "zygote": direct[:1],
        "worker": others[:1],
        "all": [engine, *direct, *others],
    }[victim]


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return 0


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def check(root: Path, expected: dict[str, str], story: str) -> None:
    """Assert what every trial must show."""
    project = Project(root)
    try:
        assert digests(project) == expected, story
        assert project.store.integrity() == [], story
        [run] = project.store.read.runs(RunFilter(limit=5))
        assert run.status in RUN_ENDED
        for task in project.store.read.tasks(run.id):
            assert task.status in TASK_SETTLED, (task.path, task.status)
            attempts = project.store.read.attempts(task.id)
            good = [a.number for a in attempts if a.status is AttemptStatus.SUCCEEDED]
            open_ones = [a for a in attempts if a.status is AttemptStatus.RUNNING]
            assert not open_ones, (task.path, attempts)
            if task.kind in ("step", "element") and task.status is TaskStatus.SUCCEEDED:
                assert len(good) == 1, (task.path, attempts)
                assert good[0] == max(a.number for a in attempts), (task.path, attempts)
        _check_outcomes(root)
    finally:
        project.close()


def _check_outcomes(root: Path) -> None:
    """No attempt of a task came after one whose success was durable on disk."""
    last: dict[str, int] = {}
    succeeded: dict[str, int] = {}
    for folder in (root / ".mainspring" / "attempts").iterdir():
        task, _, number = folder.name.rpartition(".")
        last[task] = max(last.get(task, 0), int(number))
        file = folder / "outcome.json"
        if file.exists():
            outcome = msgspec.json.decode(file.read_bytes(), type=Outcome)
            if outcome.status is AttemptStatus.SUCCEEDED:
                assert task not in succeeded, f"{task} succeeded twice"
                succeeded[task] = int(number)
    for task, number in succeeded.items():
        assert number == last[task], f"{task} ran again after attempt {number} had succeeded"
