"""What is reused and what is not: options, variables, impure steps; retries; what `show` shows."""

from __future__ import annotations

import itertools
import os
import resource
import time
from pathlib import Path

import pytest
from tests.e2e.place import Place, finish, polite, until

SECRET = "s3cr3t-" + "value-of-a-token"


def everything(place: Place) -> bytes:
    return b"".join(path.read_bytes() for path in place.home.rglob("*") if path.is_file())


def test_declared_variables_are_in_the_key_and_nowhere_else(place: Place) -> None:
    place.flow("""
        @step(env=["TOKEN"])
        def uses() -> int:
            return len(os.environ["TOKEN"])

        @step
        def undeclared() -> str:
            return os.environ.get("TOKEN", "nothing")

        @step(env=["TOKEN"])
        def fails(go: bool) -> int:
            if go:
                raise ValueError("no entry")
            return 1

        @pipeline
        def main(go: bool = False):
            uses()
            undeclared()
            fails(go)
    """)
    first = {"TOKEN": SECRET}
    assert place.counts(env=first) == {"succeeded": 3}
    assert place.value("uses") == len(SECRET)
    assert place.value("undeclared") == "nothing"
    assert place.counts(env=first) == {"reused": 3}
    second = {"TOKEN": SECRET + "x"}
    plan = place.plan(env=second)
    assert {path: task["choice"] for path, task in plan.items()} == {
        "uses": "run", "undeclared": "reuse", "fails": "run",
    }  # fmt: skip
    assert "TOKEN" in plan["uses"]["reason"]
    assert place.counts(env=second) == {"reused": 1, "succeeded": 2}
    assert place.value("uses") == len(SECRET) + 1
    place.run("-p", "go=true", env=first, code=1)
    assert place.choices()["uses"] == "run"  # unset is a value too
    assert SECRET.encode() not in everything(place)
    for verb in (("show",), ("logs",), ("why", "latest/uses"), ("runs",)):
        assert SECRET not in str(place(*verb, env=first))


def test_undeclared_looks_outside_are_not_reused(place: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("1")
    place.flow("""
        @step
        def looks(path: str) -> str:
            return open(path).read()

        @step(impure="ok")
        def allowed(path: str) -> str:
            return open(path).read()

        @step
        def calls() -> str:
            return subprocess.run(["echo", "hi"], capture_output=True, text=True).stdout

        @pipeline
        def main(path: str):
            looks(path)
            allowed(path)
            calls()
    """)
    words = ("-p", f"path={outside}")
    assert place.counts(*words) == {"succeeded": 3}
    plan = place.plan(*words)
    assert plan["allowed"]["choice"] == "reuse"
    assert plan["looks"]["choice"] == plan["calls"]["choice"] == "run"
    assert "impure" in plan["looks"]["reason"]
    assert str(outside) in plan["looks"]["reason"]
    assert "echo" in plan["calls"]["reason"]
    outside.write_text("2")
    place.run(*words)
    assert place.value("looks") == "2"
    assert "impure" in place("why", "latest/looks").out


def test_how_long_a_result_is_good(place: Place) -> None:
    place.flow("""
        @step(cache=False)
        def never() -> int:
            return 1

        @step(cache="1h")
        def an_hour() -> int:
            return 1

        @step(cache="1ms")
        def a_moment() -> int:
            return 1

        @step
        def always(x: int) -> int:
            return x

        @pipeline
        def main():
            always(never())
            an_hour()
            a_moment()
    """)
    place.run()
    plan = place.plan()
    assert {path: task["choice"] for path, task in plan.items()} == {
        "never": "run", "always": "unknown", "an_hour": "reuse", "a_moment": "run",
    }  # fmt: skip
    assert "cache is off" in plan["never"]["reason"]
    assert "older than" in plan["a_moment"]["reason"]
    place.run()
    assert place.show().statuses == {
        "never": "succeeded", "always": "reused", "an_hour": "reused", "a_moment": "succeeded",
    }  # fmt: skip


CHAIN = """
    @step
    def one(n: int) -> int:
        return n

    @step
    def two(x: int) -> int:
        return x + 1

    @step
    def three(x: int) -> int:
        return x + 1

    @step
    def aside(x: int) -> int:
        return x

    @pipeline
    def main(n: int = 1):
        a = one(n)
        aside(a)
        return three(two(a))
"""


def test_again_from_a_task(place: Place) -> None:
    place.flow(CHAIN)
    place.run()
    done = place("rerun", "latest", "--from", "two", "--json")
    assert done.json["counts"] == {"reused": 2, "succeeded": 2}
    assert place.show().statuses["aside"] == "reused"
    assert place.show().json["run"]["parent"]
    place.edit("flow.py", "def three(x: int) -> int:\n    return x + 1", "three = None")
    done = place("rerun", "latest", "-p", "n=5", "--json")
    assert done.json["counts"] == {"succeeded": 4}
    assert place.value("three") == 7
    polite(place("rerun", "latest", "--from", "twoo"), 2, "twoo", "two")


def test_forced(place: Place) -> None:
    place.flow(CHAIN)
    place.run()
    assert place.choices("--force", "two")["two"] == "run"
    place.run("--force", "two")
    assert place.show().statuses == {
        "one": "reused", "aside": "reused", "two": "succeeded", "three": "reused",
    }  # fmt: skip
    assert place.counts() == {"reused": 4}


def test_a_run_that_reuses_everything_starts_no_worker(place: Place) -> None:
    place.flow(CHAIN)
    place.run()
    before = place.attempts()
    (place.home / "zygotes").rename(place.root / "moved")
    assert place.counts() == {"reused": 4}
    assert place.attempts() == before
    assert not (place.home / "zygotes").exists()


def test_retries_and_their_waits(place: Place) -> None:
    place.flow("""
        @step(retries=2, retry_delay="0.2s")
        def flaky() -> int:
            attempt = int(context().attempt.rpartition(".")[2])
            print("try", attempt)
            log(tried=attempt)
            if attempt < 3:
                raise OSError(f"no luck {attempt}")
            return attempt

        @step(retries=1, retry_delay="10ms")
        def hopeless() -> int:
            raise OSError("never")

        @pipeline
        def main():
            flaky()
            hopeless()
    """)
    done = place("run")
    assert done.code == 1
    assert "OSError: never" in done.err
    assert "retry 1 of 2" in done.out
    attempts = place.show("latest", "flaky").json["attempts"]
    assert [attempt["status"] for attempt in attempts] == ["failed", "failed", "succeeded"]
    gaps = [b["started"] - a["ended"] for a, b in itertools.pairwise(attempts)]
    assert gaps[0] >= 0.15
    assert gaps[1] >= 0.3
    assert place.value("flaky") == 3
    assert len(place.show("latest", "hopeless").json["attempts"]) == 2
    assert place("logs", "latest", "flaky").out == "try 3\n"
    assert place("logs", "latest", "flaky", "--attempt", "1").out.startswith("try 1\n")
    polite(place("logs", "latest", "flaky", "--attempt", "9"), 2, "9")


def test_what_steps_log_is_shown(place: Place) -> None:
    place.flow("""
        @step
        def trains() -> int:
            for i in range(100):
                log(loss=1 / (i + 1), step=i)
            table("rows", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])
            figure("dot", b"\\x89PNG\\r\\n\\x1a\\n" + b"0" * 20)
            return 1

        @step
        def dies() -> int:
            for i in range(1000):
                log(progress=i, step=i)
            os.kill(os.getpid(), signal.SIGKILL)

        @pipeline
        def main():
            trains()
            dies()
    """)
    assert place("run").code == 1
    shown = place.show().json
    metrics = {metric["name"]: metric for metric in shown["metrics"]}
    assert metrics["loss"] == {
        "task": "trains", "name": "loss", "last": 0.01, "step": 99.0, "count": 100,
        "minimum": 0.01, "maximum": 1.0,
    }  # fmt: skip
    assert (metrics["progress"]["last"], metrics["progress"]["count"]) == (999.0, 1000)
    assert {medium["name"] for medium in shown["media"]} == {"rows", "dot"}
    text = place("show").out
    for word in ("loss", "progress", "rows", "dot"):
        assert word in text
    # A reused result brings its metrics along, or says where they are.
    place.run(code=1)
    assert place.show().statuses["trains"] == "reused"


def test_metrics_are_seen_while_the_step_is_at_work(place: Place, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    place.flow("""
        @step(impure="ok")
        def trains(gate: str) -> int:
            log(loss=0.5)
            print("begun", flush=True)
            while not os.path.exists(gate):
                time.sleep(0.01)
            print("ended")
            return 1

        @pipeline
        def main(gate: str):
            trains(gate)
    """)
    process = place.popen("run", "-p", f"gate={gate}")
    until(lambda: bool(place("runs", "--json").json["runs"]))
    until(lambda: bool(place.show().json["metrics"]), 10)
    follow = place.popen("logs", "-f", "latest", "trains")
    assert follow.stdout is not None
    lines = iter(follow.stdout)
    assert any("begun" in line for line in lines)
    gate.touch()
    assert any("ended" in line for line in lines)
    assert finish(follow).code == 0
    assert finish(process).code == 0


def test_a_hundred_megabytes_of_output(place: Place) -> None:
    place.flow("""
        @step
        def chatty() -> int:
            line = "x" * 999
            for _ in range(100_000):
                print(line)
            return 1

        @pipeline
        def main():
            chatty()
    """)
    assert place("run", "-q").code == 0
    assert place.show("latest", "chatty").json["attempts"][0]["usage"]["peak_memory"] < 200e6
    begun = time.monotonic()
    process = place.popen("logs", "latest", "chatty")
    assert process.stdout is not None
    size = peak = 0
    while data := process.stdout.buffer.raw.read(1 << 20):  # type: ignore[attr-defined]
        size += len(data)
        peak = max(peak, resident(process.pid))
    process.wait(60)
    finish(process)
    assert size == 100_000_000
    assert peak < 120e6
    assert time.monotonic() - begun < 30
    # Whoever looks only at the beginning is not made to wait for the end.
    head = place.popen("logs", "latest", "chatty")
    assert head.stdout is not None
    head.stdout.read(10)
    head.stdout.close()
    assert head.wait(20) == 141
    assert head.stderr is not None
    assert head.stderr.read() == ""
    head.stderr.close()


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0


THREAD = """
import threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True, name="poller").start()
"""
CUDA = """
import sys, types
torch = types.ModuleType("torch")
torch.backends = types.SimpleNamespace(cudnn=types.SimpleNamespace())
torch.cuda = types.SimpleNamespace(is_initialized=lambda: True)
torch.manual_seed = lambda seed: None
torch.use_deterministic_algorithms = lambda *_, **__: None
torch.set_num_threads = lambda count: None
sys.modules["torch"] = torch
"""
BLAS = """
import numpy as np
np.linalg.inv(np.ones((600, 600)) + np.eye(600))
"""


@pytest.mark.parametrize(("top", "why"), [(THREAD, "poller"), (CUDA, "CUDA"), (BLAS, None)])
def test_what_is_unsafe_to_fork_is_started_afresh(place: Place, top: str, why: str | None) -> None:
    place.write(
        "flow.py",
        top
        + """
from mainspring import pipeline, step

@step
def double(x: int) -> int:
    return 2 * x

@pipeline
def main():
    double.map([1, 2, 3])
""",
    )
    done = place("run")
    assert done.code == 0, done
    assert place.value("double") == [2, 4, 6]
    if why is not None:
        assert "note: " in done.err, done.err
        assert why in done.err, done.err


@pytest.mark.system("faketime")
def test_a_clock_that_is_wrong_by_years(place: Place) -> None:
    """The records of a past run lie in the future: nothing waits for it to come."""
    place.flow(CHAIN)
    place.wrapped = ("faketime", "+3 years")
    place.run()
    place.wrapped = ()
    assert place.counts() == {"reused": 4}
    place.wrapped = ("faketime", "-3 years")
    assert place.counts("-p", "n=2") == {"succeeded": 4}
    place.wrapped = ()
    assert place("show").code == place("runs").code == 0
    assert os.listdir(place.home / "attempts")
