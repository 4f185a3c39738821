"""Runs that are stopped, killed, cancelled or edited while they work."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.e2e.place import Place, alive, at_work, finish, polite, until

FLOW = """
    def mark(name):
        Path(os.environ["MARKS"], f"{name}-{os.getpid()}").touch()

    @step
    def first() -> int:
        return 1

    @step(env=["MARKS"], impure="ok")
    def slow(x: int) -> int:
        mark("slow")
        gate = Path(os.environ["MARKS"], "open")
        while not gate.exists():
            time.sleep(0.01)
        return x + 1

    @step(env=["MARKS"], impure="ok")
    def stubborn(x: int) -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        deaf = lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen(["sleep", "986"], preexec_fn=deaf)
        mark("slow")
        while True:
            time.sleep(0.1)

    @step
    def last(x: int) -> int:
        return x * 10

    @pipeline
    def main():
        return last(slow(first()))

    @pipeline
    def hard():
        return last(stubborn(first()))
"""


class Slow:
    """A project whose step `slow` waits until `open` is called."""

    def __init__(self, place: Place, marks: Path) -> None:
        marks.mkdir()
        self.place = place
        self.marks = marks
        place.env = {"MARKS": str(marks)}
        place.flow(FLOW)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the program; return when the step `slow` is at work."""
        before = len(self.begun)
        process = self.place.popen(*words)
        until(lambda: len(self.begun) > before or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        return process

    @property
    def begun(self) -> list[int]:
        """The processes that `slow` was begun in."""
        return [int(path.name.partition("-")[2]) for path in self.marks.glob("slow-*")]

    def open(self) -> None:
        (self.marks / "open").touch()


@pytest.fixture
def slow(place: Place, tmp_path: Path) -> Slow:
    return Slow(place, tmp_path / "marks")


def test_interrupted_once(slow: Slow) -> None:
    place = slow.place
    process = slow.start("run")
    os.kill(process.pid, signal.SIGINT)
    done = finish(process)
    assert done.code == 130, done
    assert "Traceback" not in done.err
    assert "mainspring resume" in done.err + done.out
    assert place.show().json["run"]["status"] == "paused"
    until(lambda: not any(map(alive, slow.begun)))
    slow.open()
    assert place("resume", "latest").code == 0
    shown = place.show()
    assert shown.statuses == dict.fromkeys(("first", "slow", "last"), "succeeded")
    assert place.value("last") == 20
    polite(place("resume", "latest"), 2, "succeeded", "mainspring rerun")


@pytest.mark.parametrize("pipeline", ["flow:main", "flow:hard"])
def test_interrupted_twice(slow: Slow, pipeline: str) -> None:
    place = slow.place
    process = slow.start("run", pipeline)
    os.kill(process.pid, signal.SIGINT)
    # Give the first a chance to be heard: signals that come together are one.
    until(lambda: not pending(process.pid))
    os.kill(process.pid, signal.SIGINT)
    done = finish(process)
    assert done.code == 130, done
    assert "Traceback" not in done.err
    until(lambda: not at_work(place), what=str(at_work(place)))
    if pipeline == "flow:main":
        slow.open()
        assert place("resume", "latest").code == 0
        assert place.value("last") == 20
    assert place("doctor").code == 0


def pending(pid: int) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(("SigPnd", "ShdPnd")) and int(line.split()[1], 16) & 2:
            return True
    return False


def test_terminated_is_interrupted(slow: Slow) -> None:
    process = slow.start("run")
    process.terminate()
    assert finish(process).code == 130
    slow.open()
    assert slow.place("resume", "latest").code == 0


@pytest.mark.parametrize("pipeline", ["flow:main", "flow:hard"])
def test_cancelled_from_another_terminal(slow: Slow, pipeline: str) -> None:
    place = slow.place
    process = slow.start("run", pipeline)
    done = place("cancel", "latest")
    assert done.code == 0, done
    ended = finish(process)
    assert ended.code == 1, ended
    assert "Traceback" not in ended.err
    shown = place.show()
    assert shown.json["run"]["status"] == "cancelled"
    assert shown.statuses["first"] == "succeeded"
    assert shown.statuses["last"] == "cancelled"
    until(lambda: not any(map(alive, slow.begun)))
    until(lambda: not at_work(place), what=str(at_work(place)))
    if pipeline == "flow:main":
        slow.open()
        assert place("resume", "latest").code == 0
        assert place.value("last") == 20


def test_paused_from_another_terminal(slow: Slow) -> None:
    place = slow.place
    process = slow.start("run")
    assert place("pause", "latest").code == 0
    slow.open()  # what is at work ends
    assert finish(process).code == 3
    statuses = place.show().statuses
    assert (statuses["slow"], statuses["last"]) == ("succeeded", "ready")
    assert place("resume", "latest").code == 0
    assert len(slow.begun) == 1


def test_killed_engine_is_taken_over(slow: Slow) -> None:
    place = slow.place
    process = slow.start("run")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    again = place.popen("resume", "latest")
    slow.open()
    assert finish(again).code == 0
    [attempt] = place.show("latest", "slow").json["attempts"]
    assert attempt["status"] == "succeeded"  # it was still at work, and was adopted
    assert len(slow.begun) == 1


def test_a_killed_engine_leaves_only_what_is_at_work(slow: Slow) -> None:
    """Neither zygotes nor spare workers stay behind, though there were two kinds of them."""
    process = slow.start("run")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    until(lambda: len(at_work(slow.place)) == 1, 10, str(at_work(slow.place)))
    slow.open()
    until(lambda: not at_work(slow.place))


def test_killed_engine_and_worker(slow: Slow) -> None:
    place = slow.place
    process = slow.start("run")
    os.kill(process.pid, signal.SIGKILL)
    os.kill(slow.begun[0], signal.SIGKILL)
    process.communicate()
    slow.open()
    assert place("resume", "latest").code == 0
    attempts = place.show("latest", "slow").json["attempts"]
    assert [attempt["status"] for attempt in attempts] == ["lost", "succeeded"]


def test_a_killed_worker_is_an_error_of_its_attempt(slow: Slow) -> None:
    process = slow.start("run")
    os.kill(slow.begun[0], signal.SIGKILL)
    done = finish(process)
    assert done.code == 1
    assert "SIGKILL" in done.err


def test_an_edit_during_a_run_changes_nothing_in_it(slow: Slow) -> None:
    place = slow.place
    process = slow.start("run")
    place.edit("flow.py", "return x * 10", "return x * 1000")
    place.edit("flow.py", "return x + 1", "raise RuntimeError")
    place.write("mainspring.toml", "broken [")
    slow.open()
    assert finish(process).code == 0
    place.write("mainspring.toml", '[project]\nname = "demo"\npipelines = ["flow:main"]\n')
    assert place.value("last") == 20
    assert place("rerun", "latest", "--from", "slow").code == 0
    assert place.value("last") == 20
    assert place("run").code == 1


def test_the_project_file_removed_during_a_run(slow: Slow) -> None:
    process = slow.start("run")
    (slow.place.root / "flow.py").unlink()
    slow.open()
    assert finish(process).code == 0


def test_two_runs_at_once_compute_a_result_once(slow: Slow) -> None:
    place = slow.place
    one = slow.start("run")
    two = place.popen("run", "--json")
    until(lambda: len(place("runs", "--json").json["runs"]) == 2)
    slow.open()
    assert finish(one).code == 0
    done = finish(two)
    assert done.code == 0, done
    assert len(slow.begun) == 1
    statuses = place.show(done.json["run"]["id"]).statuses
    assert statuses["slow"] == "reused"


def test_two_resumes_at_once(slow: Slow) -> None:
    place = slow.place
    process = slow.start("run")
    os.kill(process.pid, signal.SIGINT)
    assert finish(process).code == 130
    both = [place.popen("resume", "latest") for _ in range(2)]
    until(lambda: len(slow.begun) > 1)
    slow.open()
    done = [finish(process) for process in both]
    assert 0 in [found.code for found in done], done
    for found in done:
        if found.code:
            polite(found, 2, ["at work already", "succeeded"][0])
    assert len(slow.begun) == 2  # once before the interrupt, once after
    attempts = place.show("latest", "slow").json["attempts"]
    assert [attempt["status"] for attempt in attempts] == ["cancelled", "succeeded"]
    assert place("doctor").code == 0


def test_resume_of_a_run_at_work(slow: Slow) -> None:
    process = slow.start("run")
    polite(slow.place("resume", "latest"), 2, "at work already")
    polite(slow.place("gc"), 2, "at work")
    slow.open()
    assert finish(process).code == 0
    assert slow.place("gc").code == 0


def test_output_into_a_pipe_that_closes(slow: Slow) -> None:
    process = slow.start("run")
    assert process.stdout is not None
    process.stdout.close()
    slow.open()
    process.wait(60)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    resumed = slow.place("resume", "latest")
    assert resumed.code == 0 or "has succeeded" in resumed.err
    assert slow.place.value("last") == 20
