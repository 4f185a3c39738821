"""Several engines as their users start them: runs left to them, shared, stopped and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.e2e.place import Place, finish, until

from mainspring.app.project import Project
from mainspring.records.runs import Attempt
from mainspring.records.status import AttemptStatus

FLOW = """
@step
def numbers(n: int) -> list[int]:
    return list(range(n))

@step
def nap(x: int) -> int:
    time.sleep(0.1)
    return x

@step
def total(xs: list[int]) -> int:
    return sum(xs)

@step
def wait_for(path: str, go: str) -> str:
    Path(path).write_text(context().attempt)
    while not Path(go).exists():
        time.sleep(0.01)
    return "gone"

@step
def after(x: str) -> str:
    return x + "!"

@pipeline
def main(n: int = 20):
    return total(nap.map(numbers(n)))

@pipeline
def slow(path: str, go: str):
    return after(wait_for(path, go))
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path / "demo", "flow:main", "flow:slow", more="[execution]\nworkers = 1\n")
    found.flow(FLOW)
    return found


def queue(place: Place, *words: str) -> str:
    done = place("run", "--queue", *words)
    assert done.code == 0, done
    assert done.err == ""
    return done.out.strip()


def attempts(place: Place) -> list[Attempt]:
    project = Project(place.root)
    try:
        read = project.store.read
        run = read.find_run("latest").id
        return [attempt for task in read.tasks(run) for attempt in read.attempts(task.id)]
    finally:
        project.close()


def test_a_queued_run_waits_for_an_engine(place: Place) -> None:
    run = queue(place, "main", "-p", "n=2")
    assert place("show", run, "--json").json["run"]["status"] == "queued"
    assert "queued" in place("runs").out
    done = place("engine", "--until-idle")
    assert done.code == 0, done
    assert f"{run}  total  succeeded" in done.out
    assert place("show", run, "--json").json["run"]["status"] == "succeeded"
    assert place.value("total") == 1
    done = place("engine", "--until-idle", "--json")
    assert done.json == {"runs": {}, "format": "mainspring.engine/1"}


def test_queueing_prints_what_a_run_prints(place: Place) -> None:
    done = place("run", "--queue", "--json")
    assert done.code == 0
    assert done.json["run"]["status"] == "queued"
    assert done.json["format"] == "mainspring.result/1"


def test_two_engines_share_the_tasks_of_one_run(place: Place) -> None:
    queue(place)
    both = [place.popen("engine", "--until-idle") for _ in range(2)]
    assert [finish(process).code for process in both] == [0, 0]
    assert place.value("total") == 190
    found = Counter(attempt.engine for attempt in attempts(place))
    assert len(found) == 2
    assert min(found.values()) >= 5, found
    assert all(attempt.status is AttemptStatus.SUCCEEDED for attempt in attempts(place))


def test_an_engine_helps_a_run_that_is_driven(place: Place) -> None:
    engine = place.popen("engine", "--quiet")
    try:
        done = place.run("main", "-p", "n=30")
        assert done.json["run"]["status"] == "succeeded"
        assert len({attempt.engine for attempt in attempts(place)}) == 2
    finally:
        engine.send_signal(signal.SIGTERM)
    assert finish(engine) == (0, "", finish_text())


def finish_text() -> str:
    return "\nstopping when the tasks at work have ended; Ctrl-C again ends them\n"


def start_slow(place: Place, tmp_path: Path) -> tuple[str, Path, subprocess.Popen[str]]:
    """A run whose first task is at work in an engine until the file `go` is there."""
    path, go = tmp_path / "path", tmp_path / "go"
    run = queue(place, "slow", "-p", f"path={path}", "-p", f"go={go}")
    engine = place.popen("engine")
    until(lambda: path.exists() and path.read_text() != "")
    return run, go, engine


def test_ctrl_c_lets_the_tasks_at_work_end_and_pauses_no_run(place: Place, tmp_path: Path) -> None:
    run, go, engine = start_slow(place, tmp_path)
    engine.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert engine.poll() is None  # it waits for the task
    go.touch()
    done = finish(engine)
    assert (done.code, done.err) == (0, finish_text())
    shown = place.show(run)
    assert shown.statuses == {"wait_for": "succeeded", "after": "ready"}
    assert shown.json["run"]["wish"] == "run"
    assert place("engine", "--until-idle").code == 0
    assert place.value("after", run) == "gone!"


def test_ctrl_c_twice_ends_at_once_and_loses_nothing(place: Place, tmp_path: Path) -> None:
    run, go, engine = start_slow(place, tmp_path)
    engine.send_signal(signal.SIGINT)
    time.sleep(0.2)
    engine.send_signal(signal.SIGINT)
    assert finish(engine, 10).code == 130
    go.touch()
    assert place("engine", "--until-idle").code == 0
    assert place.value("after", run) == "gone!"
    assert [a.status.value for a in attempts(place)] == ["lost", "succeeded", "succeeded"]


def test_the_run_of_a_killed_engine_goes_on_with_the_next(place: Place, tmp_path: Path) -> None:
    """The worker outlives its engine: what it does counts, and is not done again."""
    run, go, engine = start_slow(place, tmp_path)
    engine.kill()
    finish(engine)
    assert "interrupted" in place("runs").out
    following = place.popen("engine", "--until-idle")
    time.sleep(0.5)
    go.touch()
    assert finish(following).code == 0
    assert place.value("after", run) == "gone!"
    assert [(a.number, a.status.value) for a in attempts(place)] == [
        (1, "succeeded"), (1, "succeeded"),
    ]  # fmt: skip


def test_pause_resume_and_cancel_reach_the_engine(place: Place, tmp_path: Path) -> None:
    run, go, engine = start_slow(place, tmp_path)
    try:
        assert place("pause", run, "--json").code in (0, 3)
        go.touch()
        status = lambda: place.show(run).json["run"]["status"]  # noqa: E731
        until(lambda: status() == "paused")
        assert place.show(run).statuses["after"] == "ready"
        assert place("resume", run, "--json").json["run"]["status"] == "succeeded"
        path, go = tmp_path / "path2", tmp_path / "go2"
        second = queue(place, "slow", "-p", f"path={path}", "-p", f"go={go}")
        until(lambda: path.exists() and path.read_text() != "")
        place("cancel", second)
        until(lambda: place.show(second).json["run"]["status"] == "cancelled")
    finally:
        engine.send_signal(signal.SIGINT)
    assert finish(engine).code == 0


def test_what_asks_for_too_much_is_left_alone(place: Place) -> None:
    place.flow(
        """
        @step(cpus=4096)
        def huge() -> int:
            return 1

        @step
        def small() -> int:
            return 2

        @pipeline
        def main():
            huge()
            return small()
        """
    )
    run = queue(place, "main")
    engine = place.popen("engine")
    until(lambda: place.show(run).statuses["small"] == "succeeded")
    os.kill(engine.pid, signal.SIGINT)
    done = finish(engine)
    assert done.code == 0
    assert "huge  waiting  asks for cpus=4096, there is 1: left to other engines" in done.out
    assert place.show(run).statuses["huge"] == "ready"
