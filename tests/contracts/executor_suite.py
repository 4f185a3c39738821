"""What every executor has to do, whatever runs below it: real processes, real files."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mainspring.execution.attempt_files import AttemptFiles
from mainspring.records.artifacts import (
    Absent,
    ArtifactRef,
    Bundle,
    Input,
    Literal,
    Sequence,
    Stored,
)
from mainspring.records.artifacts import Mapping as MappingInput
from mainspring.records.canonical import canonical
from mainspring.records.ports import Executor
from mainspring.records.runs import Order, Outcome
from mainspring.records.source import Manifest, SourceFile
from mainspring.records.status import AttemptStatus
from mainspring.storage.blobs import LocalBlobs
from mainspring.storage.serializers import registry

PATIENCE = 60.0

STEPS = """
import ctypes, json, os, random, signal, socket, subprocess, sys, threading, time
from dataclasses import dataclass
from pathlib import Path
from mainspring.definition.step import step
from mainspring.execution import telemetry

@dataclass
class Scores:
    accuracy: float
    label: str

class Odd:
    def __reduce__(self):
        raise TypeError("an Odd is not for keeping")

@step
def add(x: int, y: int = 1) -> int:
    return x + y

@step
def scores(x: int) -> Scores:
    return Scores(accuracy=x / 2, label="half")

@step
def join(parts: object, named: object, whole: object, maybe: int = 41) -> str:
    return repr((parts, named, whole, maybe))

@step
def fail(x: int) -> int:
    return helper(x)

def helper(x):
    raise ValueError(f"no good: {x}")

@step
def leave(code: int) -> int:
    sys.exit(code)

@step
def vanish(code: int) -> int:
    os._exit(code)

@step
def crash() -> int:
    ctypes.string_at(0)
    return 1

@step
def kill_self(number: int) -> int:
    telemetry.log(loss=0.25, step=1)
    telemetry.log({"loss": float("nan"), "rate": 3})
    os.kill(os.getpid(), number)
    time.sleep(60)
    return 1

@step
def grow() -> int:
    held = []
    while True:
        held.append(os.urandom(1) * 10_000_000)
        time.sleep(0.02)

@step
def huge() -> int:
    return len(bytearray(1 << 45))

@step
def stubborn(mark: str) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(mark).write_text(str(os.getpid()))
    while True:
        time.sleep(1)

@step
def wait_for(mark: str, go: str) -> int:
    Path(mark).write_text(str(os.getpid()))
    while not os.path.exists(go):
        time.sleep(0.01)
    return 5

@step
def shout(lines: int) -> int:
    text = "x" * 1023
    for _ in range(lines):
        print(text)
    print("the end", file=sys.stderr)
    return lines

@step
def beget(daemon: bool) -> int:
    read, write = os.pipe()
    if os.fork() == 0:
        if daemon:
            os.setsid()
            if os.fork():
                os._exit(0)
        os.write(write, str(os.getpid()).encode())
        os.close(write)
        time.sleep(600)
        os._exit(0)
    return int(os.read(read, 100))

@step
def thing() -> object:
    return Odd()

@step
def lock() -> object:
    return threading.Lock()

@step
def wrong_shape() -> Scores:
    return 3

@step
def environment(names: list) -> dict:
    return {name: os.environ.get(name) for name in names}

@step
def numbers() -> list:
    late = "numpy" not in sys.modules
    import numpy
    return [random.random(), float(numpy.random.rand()), float(telemetry.rng().random()), late]

@step
def read_files() -> str:
    inside = Path("data/words.txt").read_text() + open("data/more.txt").read()
    return inside + ",".join(sorted(os.listdir("data")))

@step
def read_outside(place: str) -> str:
    return Path(place).read_text()

@step
def reach_out() -> int:
    subprocess.run(["true"], check=True)
    with socket.socket() as sock:
        try:
            sock.connect(("127.0.0.1", 1))
        except OSError:
            pass
    return 1

@step
def scribble() -> int:
    Path("data/words.txt").write_text("changed")
    return 1

@step
def scratch() -> bool:
    import tempfile
    with tempfile.NamedTemporaryFile() as file:
        own = file.name.startswith(str(telemetry.workdir()))
    (telemetry.workdir() / "a").write_text("a")
    return own and (telemetry.workdir() / "a").read_text() == "a"

@step
def import_late() -> int:
    import late
    return late.VALUE

@step
def threads() -> list:
    import numpy, threadpoolctl
    numpy.ones((8, 8)) @ numpy.ones((8, 8))
    found = [info["num_threads"] for info in threadpoolctl.threadpool_info()]
    return found + [int(os.environ["OMP_NUM_THREADS"])]
"""


class World:
    """A home with a project in it, and orders for its steps.

    `image` is what all orders run in, if they do. What a test and a step tell each other is in
    files at a `spot`: a place that both see.
    """

    def __init__(self, home: Path, make: Callable[..., Executor], image: str = "") -> None:
        self.home = home
        self.image = image
        self.blobs = LocalBlobs(home / "blobs")
        self._make = make
        self._count = 0
        self.snapshot = self.source({})

    def source(self, more: Mapping[str, str]) -> str:
        """Store a source snapshot; return its digest."""
        files = {
            "steps.py": STEPS,
            "late.py": "VALUE = 7\n",
            "data/words.txt": "words ",
            "data/more.txt": "more ",
            **more,
        }
        stored: list[SourceFile] = []
        for path, text in sorted(files.items()):
            digest, size = self.blobs.put(textwrap.dedent(text).encode())
            stored.append(SourceFile(path=path, digest=digest, size=size))
        return self.blobs.put(canonical(Manifest(files=tuple(stored))))[0]

    @contextmanager
    def executor(self, **options: Any) -> Iterator[Executor]:
        executor = self._make(self.home, self.blobs, **options)
        try:
            yield executor
        finally:
            executor.close()

    def order(self, step: str, /, *, module: str = "steps", **fields: Any) -> Order:
        """An order whose inputs are the plain values among `fields`."""
        self._count += 1
        known = set(Order.__struct_fields__)
        inputs: dict[str, Input] = {}
        for name in [name for name in fields if name not in known]:
            value = fields.pop(name)
            plain = isinstance(value, int | float | str | list | dict)
            inputs[name] = Literal(value=value) if plain else value
        defaults: dict[str, Any] = {
            "attempt": f"run.1.{self._count}",
            "snapshot": self.snapshot,
            "uses": f"{module}:{step}" if step else "",
            "image": self.image,
        }
        return Order(
            **{"run": "run", "path": step, "node": step, "inputs": inputs, **defaults, **fields}
        )

    def spot(self, name: str, ahead: int = 1) -> Path:
        """A file that the order made next (or `ahead` orders from now) can write and read."""
        if not self.image:
            return self.home.parent / name
        return Path(self.files(f"run.1.{self._count + ahead}").work, name)

    def ended(self, attempt: str, pid: str) -> bool:
        """Whether nothing runs any more of an attempt that has written down a process id."""
        del attempt
        return gone(int(pid))

    def kill(self, attempt: str, pid: str) -> None:
        """Kill an attempt with all its processes, and wait until nothing of it runs."""
        os.kill(int(pid), signal.SIGKILL)
        until(lambda: self.ended(attempt, pid))

    def files(self, attempt: str) -> AttemptFiles:
        return AttemptFiles(self.home, attempt)

    def value(self, outcome: Outcome, name: str = "result") -> Any:
        assert outcome.status is AttemptStatus.SUCCEEDED, outcome.error
        workdir = self.home / "loaded"
        workdir.mkdir(exist_ok=True)
        return registry.load(outcome.outputs[name], self.blobs, workdir=workdir)

    def stored(self, value: object) -> ArtifactRef:
        return registry.dump(value, type(value), self.blobs)


def collect(executor: Executor, count: int = 1, patience: float = PATIENCE) -> dict[str, Outcome]:
    """Wait for `count` outcomes; each attempt must come back once."""
    found: dict[str, Outcome] = {}
    end = time.monotonic() + patience
    while len(found) < count:
        left = end - time.monotonic()
        assert left > 0, f"only {sorted(found)} came back"
        for outcome in executor.wait(left):
            assert outcome.attempt not in found
            found[outcome.attempt] = outcome
    return found


def one(executor: Executor, order: Order, patience: float = PATIENCE) -> Outcome:
    executor.launch([order])
    return collect(executor, 1, patience)[order.attempt]


def until(condition: Callable[[], bool], executor: Executor | None = None) -> None:
    """Wait for something outside; an executor goes on working meanwhile."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came"
        if executor is None:
            time.sleep(0.005)
        else:
            assert executor.wait(0.005) == []


def told(mark: Path) -> bool:
    """Whether a step has begun and written down its process id."""
    return mark.exists() and bool(mark.read_text())


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


class ExecutorSuite:
    """Subclassed by each executor's tests, which give the fixture `world`."""

    timeout = 1.0
    """Seconds in which a step surely begins."""

    def path(self) -> str:
        """The PATH that a step sees."""
        return os.environ["PATH"]

    def outside(self, folder: Path) -> tuple[Path, str]:
        """A file that a step can read although it is no input, and what is in it."""
        secret = folder / "outside.txt"
        secret.write_text("outside")
        return secret, "outside"

    # Success

    def test_a_value_comes_back(self, world: World) -> None:
        with world.executor() as executor:
            outcome = one(executor, world.order("add", x=world_ref(world, 2), y=40))
            assert world.value(outcome) == 42
            assert outcome.usage.wall > 0
            assert outcome.usage.peak_memory > 1_000_000
            assert outcome.started <= outcome.ended
            assert (outcome.reads, outcome.impure) == ((), ())
            on_disk = world.files(outcome.attempt).read()
            assert on_disk == outcome

    def test_named_outputs(self, world: World) -> None:
        with world.executor() as executor:
            outcome = one(executor, world.order("scores", x=3))
        assert world.value(outcome, "accuracy") == 1.5
        assert world.value(outcome, "label") == "half"

    def test_every_form_of_input(self, world: World) -> None:
        items = {"accuracy": Literal(value=0.5), "label": Stored(ref=world.stored("a"))}
        listed = registry.dump([10, 20, 30], list[int], world.blobs)
        order = world.order(
            "join",
            parts=Sequence(items=(Literal(value=1), Stored(ref=listed), Absent())),
            named=MappingInput(items={"k": Stored(ref=world.stored("v"))}),
            whole=Bundle(type="steps:Scores", items=items),
            maybe=Absent(),
        )
        with world.executor() as executor:
            text = world.value(one(executor, order))
        expected = "([1, [10, 20, 30], None], {'k': 'v'}, Scores(accuracy=0.5, label='a'), 41)"
        assert text == expected

    def test_many_inputs(self, world: World) -> None:
        ref = world.stored("element")
        parts = Sequence(items=tuple(Stored(ref=ref) for _ in range(10_000)))
        with world.executor() as executor:
            order = world.order("join", parts=parts, named=0, whole=0)
            assert world.value(one(executor, order)).count("element") == 10_000

    def test_waiting_is_in_vain_without_attempts(self, world: World) -> None:
        with world.executor() as executor:
            begin = time.monotonic()
            assert executor.wait(0.05) == []
            assert time.monotonic() - begin >= 0.04

    def test_wake_ends_a_wait(self, world: World) -> None:
        with world.executor() as executor:
            timer = threading.Timer(0.05, executor.wake)
            timer.start()
            begin = time.monotonic()
            assert executor.wait(PATIENCE) == []
            assert time.monotonic() - begin < PATIENCE / 2
            timer.join()

    # Failure

    def test_an_exception(self, world: World) -> None:
        with world.executor() as executor:
            outcome = one(executor, world.order("fail", x=3))
        error = outcome.error
        assert outcome.status is AttemptStatus.FAILED
        assert error is not None
        assert (error.kind, error.message) == ("ValueError", "no good: 3")
        line = next(n for n, text in enumerate(STEPS.splitlines(), 1) if "raise ValueError" in text)
        assert error.where == f"steps.py:{line}"
        assert "helper" in error.traceback
        assert "mainspring/execution" not in error.traceback
        assert "ValueError" in Path(world.files(outcome.attempt).log).read_text("utf-8")

    @pytest.mark.parametrize(
        ("step", "fields", "kind", "words"),
        [
            ("leave", {"code": 0}, "SystemExit", "sys.exit(0)"),
            ("vanish", {"code": 3}, "exit", "os._exit(3)"),
            ("vanish", {"code": 0}, "exit", "os._exit(0)"),
            ("crash", {}, "killed", "SIGSEGV"),
            ("kill_self", {"number": int(signal.SIGKILL)}, "killed", "SIGKILL"),
            ("kill_self", {"number": int(signal.SIGINT)}, "KeyboardInterrupt", "interrupted"),
            ("thing", {}, "SerializationError", "Odd"),
            ("lock", {}, "SerializationError", "lock"),
            ("wrong_shape", {}, "", "Scores"),
            ("nothing_there", {}, "", "nothing_there"),
        ],
    )
    def test_a_bad_end_is_the_attempts_own(
        self, world: World, step: str, fields: dict[str, Any], kind: str, words: str
    ) -> None:
        with world.executor() as executor:
            outcome = one(executor, world.order(step, **fields))
            assert outcome.status is AttemptStatus.FAILED
            assert outcome.error is not None
            assert outcome.error.kind.startswith(kind)
            assert words in outcome.error.message
            assert world.files(outcome.attempt).read() == outcome
            assert world.value(one(executor, world.order("add", x=1))) == 2

    def test_a_module_that_cannot_be_imported(self, world: World) -> None:
        broken = world.source({"broken.py": "import steps\nraise RuntimeError('not today')\n"})
        with world.executor() as executor:
            executor.prepare(broken, ["broken"])
            order = world.order("anything", module="broken", snapshot=broken)
            outcome = one(executor, order)
            assert outcome.error is not None
            assert outcome.error.where == "broken.py:2"
            assert "not today" in outcome.error.message
            fine = one(executor, world.order("add", x=1, snapshot=broken))
            assert world.value(fine) == 2

    def test_a_module_that_ends_the_process(self, world: World) -> None:
        deadly = world.source({"deadly.py": "import os\nos._exit(9)\n"})
        with world.executor() as executor:
            executor.prepare(deadly, ["deadly"])
            outcome = one(executor, world.order("x", module="deadly", snapshot=deadly))
            assert outcome.status is AttemptStatus.FAILED
            assert outcome.error is not None
            assert "os._exit(9)" in outcome.error.message

    def test_a_snapshot_that_is_not_there(self, world: World) -> None:
        with world.executor() as executor:
            outcome = one(executor, world.order("add", x=1, snapshot="blake3:" + "0" * 64))
        assert outcome.status is AttemptStatus.FAILED

    def test_threads_started_by_an_import(self, world: World) -> None:
        text = """
            import threading, time
            from mainspring.definition.step import step
            threading.Thread(target=time.sleep, args=(600,), daemon=True, name="pool").start()
            @step
            def count() -> int:
                return threading.active_count()
        """
        threaded = world.source({"threaded.py": text})
        with world.executor() as executor:
            executor.prepare(threaded, ["threaded"])
            order = world.order("count", module="threaded", snapshot=threaded)
            assert world.value(one(executor, order)) == 2
            self.check_threaded_notice(executor)

    def check_threaded_notice(self, executor: Executor) -> None:
        """An executor that forks has to say why it did not."""

    # Limits

    def test_memory_bit_by_bit(self, world: World) -> None:
        with world.executor() as executor:
            outcome = one(executor, world.order("grow", memory=200_000_000))
        assert outcome.error is not None
        assert outcome.error.kind == "memory"
        assert "190.7 MiB" in outcome.error.message

    def test_memory_all_at_once(self, world: World) -> None:
        with world.executor() as executor:
            outcome = one(executor, world.order("huge", memory=200_000_000))
        assert outcome.error is not None
        assert outcome.error.kind == "memory"
        assert "190.7 MiB" in outcome.error.message

    def test_a_timeout_of_a_step_that_ignores_sigterm(self, world: World) -> None:
        mark = world.spot("mark")
        with world.executor() as executor:
            order = world.order("stubborn", mark=str(mark), timeout=self.timeout)
            executor.launch([order])
            until(lambda: told(mark), executor)
            pid = mark.read_text()
            outcome = collect(executor)[order.attempt]
            assert outcome.status is AttemptStatus.TIMED_OUT
            assert outcome.error is not None
            assert f"{self.timeout:g} s" in outcome.error.message
            until(lambda: world.ended(order.attempt, pid))
        assert world.files(outcome.attempt).read() == outcome

    def test_cancel_while_it_runs(self, world: World) -> None:
        mark, never = world.spot("mark"), world.spot("never")
        with world.executor() as executor:
            order = world.order("wait_for", mark=str(mark), go=str(never))
            executor.launch([order])
            until(lambda: told(mark), executor)
            pid = mark.read_text()
            executor.terminate([order.attempt], AttemptStatus.CANCELLED)
            outcome = collect(executor)[order.attempt]
            assert outcome.status is AttemptStatus.CANCELLED
            assert world.files(order.attempt).read() == outcome
            until(lambda: world.ended(order.attempt, pid))

    def test_cancel_before_it_runs(self, world: World) -> None:
        with world.executor() as executor:
            order = world.order("add", x=1)
            executor.launch([order])
            executor.terminate([order.attempt], AttemptStatus.CANCELLED)
            outcome = collect(executor)[order.attempt]
            assert outcome.status in {AttemptStatus.CANCELLED, AttemptStatus.SUCCEEDED}
            assert world.files(order.attempt).read() == outcome

    def test_printing_much(self, world: World) -> None:
        with world.executor() as executor:
            outcome = one(executor, world.order("shout", lines=200_000))
            assert world.value(outcome) == 200_000
            log = world.files(outcome.attempt).log
            assert os.path.getsize(log) == 200_000 * 1024 + len("the end\n")
            assert outcome.usage.peak_memory < 150_000_000
            os.unlink(log)

    @pytest.mark.parametrize("daemon", [False, True])
    def test_grandchildren_do_not_outlive_the_attempt(self, world: World, daemon: bool) -> None:
        with world.executor() as executor:
            order = world.order("beget", daemon=daemon)
            outcome = one(executor, order)
            pid = world.value(outcome)
            until(lambda: world.ended(order.attempt, str(pid)), executor)

    # What a step sees

    def test_the_environment_is_an_allow_list(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SECRET_TOKEN", "hidden")
        monkeypatch.setenv("DECLARED", "shown")
        names = ["SECRET_TOKEN", "DECLARED", "MAINSPRING_ATTEMPT", "PATH", "CUDA_VISIBLE_DEVICES"]
        with world.executor() as executor:
            order = world.order("environment", names=names, env=("DECLARED", "MISSING"))
            seen = world.value(one(executor, order))
            plain = world.value(one(executor, world.order("environment", names=names)))
        assert seen["SECRET_TOKEN"] is None
        assert seen["DECLARED"] == "shown"
        assert plain["DECLARED"] is None
        assert seen["MAINSPRING_ATTEMPT"] == order.attempt
        assert seen["PATH"] == self.path()
        assert seen["CUDA_VISIBLE_DEVICES"] == ""

    def test_equal_seeds_give_equal_numbers(self, world: World) -> None:
        with world.executor() as executor:
            first = world.value(one(executor, world.order("numbers", seed=2**63 + 5)))
            again = world.value(one(executor, world.order("numbers", seed=2**63 + 5)))
            other = world.value(one(executor, world.order("numbers", seed=6)))
        assert first == again
        assert all(a != b for a, b in zip(first[:3], other[:3], strict=True))
        assert first[3] is True  # numpy was imported by the step itself

    def test_generators_made_by_an_import(self, world: World) -> None:
        text = """
            import random
            import numpy
            from mainspring.definition.step import step
            FREE, OWN = numpy.random.default_rng(), random.Random()
            FIXED = numpy.random.default_rng(42)
            @step
            def draw() -> list:
                return [FREE.random(), OWN.random(), FIXED.random(), numpy.random.rand()]
        """
        snapshot = world.source({"drawing.py": text})

        def draw(seed: int) -> list[float]:
            order = world.order("draw", module="drawing", snapshot=snapshot, seed=seed)
            with world.executor() as executor:
                return world.value(one(executor, order))

        first, again, other = draw(1), draw(1), draw(2)
        assert first == again
        assert first[2] == other[2]
        assert first[0] != other[0]
        assert first[1] != other[1]
        assert first[3] != other[3]

    @pytest.mark.parametrize("threads", [1, 2])
    def test_threads(self, world: World, threads: int) -> None:
        with world.executor() as executor:
            seen = world.value(one(executor, world.order("threads", threads=threads)))
        assert set(seen) == {threads}

    def test_project_files_that_are_read(self, world: World) -> None:
        with world.executor() as executor:
            outcome = one(executor, world.order("read_files"))
            assert world.value(outcome) == "words more more.txt,words.txt"
            late = one(executor, world.order("import_late"))
        digests = {read.path: read.digest for read in outcome.reads}
        assert sorted(digests) == ["data/", "data/more.txt", "data/words.txt"]
        assert digests["data/words.txt"] == world.blobs.put(b"words ")[0]
        assert outcome.impure == ()
        assert [read.path for read in late.reads] == ["late.py!"]

    def test_looks_at_the_outside(self, world: World, tmp_path: Path) -> None:
        secret, text = self.outside(tmp_path)
        with world.executor() as executor:
            outcome = one(executor, world.order("read_outside", place=str(secret)))
            assert world.value(outcome) == text
            assert outcome.impure == (f"read {secret}",)
            reached = one(executor, world.order("reach_out"))
        assert reached.impure == ("subprocess true", "connect 127.0.0.1")

    def test_the_source_is_not_for_writing(self, world: World) -> None:
        with world.executor() as executor:
            outcome = one(executor, world.order("scribble"))
            assert outcome.error is not None
            assert "mainspring.workdir()" in outcome.error.message
            assert world.value(one(executor, world.order("read_files"))).startswith("words")

    def test_scratch_space(self, world: World) -> None:
        with world.executor() as executor:
            outcome = one(executor, world.order("scratch"))
            assert world.value(outcome) is True
            assert outcome.impure == ()
            until(lambda: not os.path.exists(world.files(outcome.attempt).work))

    def test_metrics_of_a_step_that_is_killed(self, world: World) -> None:
        with world.executor() as executor:
            outcome = one(executor, world.order("kill_self", number=int(signal.SIGKILL)))
        lines = Path(world.files(outcome.attempt).metrics).read_text().splitlines()
        points = [json.loads(line)[:3] for line in lines]
        assert points == [["loss", 0.25, 1.0], ["loss", "nan", None], ["rate", 3.0, None]]

    # Commands

    def test_a_command(self, world: World) -> None:
        order = world.order(
            "",
            command='sh -c \'cat data/words.txt "$1" > "$2"; ls; echo told\' x {inputs.name} '
            "{outputs.out}",
            files=("data/words.txt",),
            outputs={"out": "result.txt"},
            name=Stored(ref=registry.dump(world_file(world), Path, world.blobs)),
        )
        with world.executor() as executor:
            outcome = one(executor, order)
        log = Path(world.files(outcome.attempt).log).read_text("utf-8")
        assert world.value(outcome, "out").read_text() == "words from a file"
        assert log.endswith("told\n")
        assert "steps.py" not in log

    @pytest.mark.parametrize(
        ("command", "words"),
        [
            ("sh -c 'echo because >&2; exit 4'", ("exit status 4", "because")),
            ("no-such-program-here", ("no-such-program-here", "can't be started")),
            ("true", ("did not write", "out")),
            ("echo {inputs.missing}", ("missing",)),
        ],
    )
    def test_a_command_that_fails(self, world: World, command: str, words: tuple[str, ...]) -> None:
        with world.executor() as executor:
            outcome = one(executor, world.order("", command=command, outputs={"out": "o.txt"}))
        assert outcome.error is not None
        assert all(word in outcome.error.message for word in words)

    def test_a_command_is_cancelled_with_all_its_processes(self, world: World) -> None:
        mark = world.spot("pid")
        command = f"echo $$ > {mark}; sleep 600"
        order = world.order("", command=command, shell=True)
        with world.executor() as executor:
            executor.launch([order])
            until(lambda: told(mark), executor)
            pid = mark.read_text()
            executor.terminate([order.attempt], AttemptStatus.CANCELLED)
            assert collect(executor)[order.attempt].status is AttemptStatus.CANCELLED
            until(lambda: world.ended(order.attempt, pid))

    # Idempotence, death, adoption

    def test_launching_twice_runs_once(self, world: World) -> None:
        mark, go = world.spot("mark"), world.spot("go")
        order = world.order("wait_for", mark=str(mark), go=str(go))
        with world.executor() as executor, world.executor() as other:
            executor.launch([order])
            executor.launch([order])
            until(lambda: told(mark), executor)
            pid = mark.read_text()
            other.launch([order])
            go.touch()
            mine, theirs = collect(executor), collect(other)
            assert mine == theirs
            assert executor.wait(0.05) == []
            assert not mark.exists() or mark.read_text() == pid
            executor.launch([order])
            assert collect(executor) == mine

    def test_an_outcome_that_is_there_counts(self, world: World) -> None:
        mark, go = world.spot("mark"), world.spot("go")
        order = world.order("wait_for", mark=str(mark), go=str(go))
        with world.executor() as executor:
            executor.launch([order])
            until(lambda: told(mark), executor)
            ours = b'{"attempt":"%s","status":"lost"}' % order.attempt.encode()
            assert world.files(order.attempt).publish(ours)
            go.touch()
            outcome = collect(executor)[order.attempt]
        assert outcome.status is AttemptStatus.LOST
        assert Path(world.files(order.attempt).outcome).read_bytes() == ours

    def test_adopting_what_a_killed_engine_left(self, world: World, tmp_path: Path) -> None:
        """One finished, one dead, one running: each comes back once, as what it is."""
        driver = EngineProcess(world, self.driver_arguments(), tmp_path)
        done = world.order("add", x=1)
        mark, go = world.spot("mark"), world.spot("go")
        running = world.order("wait_for", mark=str(mark), go=str(go))
        doomed = world.spot("doomed")
        dead = world.order("wait_for", mark=str(doomed), go=str(world.spot("never", 0)))
        driver.start([done, running, dead])
        until(lambda: told(mark))
        until(lambda: told(doomed))
        until(lambda: world.files(done.attempt).ended())
        driver.kill()
        world.kill(dead.attempt, doomed.read_text())
        with world.executor() as executor:
            executor.adopt([done.attempt, running.attempt, dead.attempt, "never-begun"])
            early = collect(executor, 3)
            assert early[done.attempt].status is AttemptStatus.SUCCEEDED
            assert early[dead.attempt].status is AttemptStatus.LOST
            assert early["never-begun"].status is AttemptStatus.LOST
            go.touch()
            late = collect(executor)[running.attempt]
            assert world.value(late) == 5
            # Whoever comes late with an order for a dead attempt does not run it.
            executor.launch([dead])
            assert collect(executor)[dead.attempt] == early[dead.attempt]

    def test_terminating_what_was_adopted(self, world: World, tmp_path: Path) -> None:
        driver = EngineProcess(world, self.driver_arguments(), tmp_path)
        mark = world.spot("mark")
        order = world.order("stubborn", mark=str(mark), timeout=600.0)
        driver.start([order])
        until(lambda: told(mark))
        pid = mark.read_text()
        driver.kill()
        with world.executor() as executor:
            executor.terminate([order.attempt], AttemptStatus.CANCELLED)
            assert collect(executor)[order.attempt].status is AttemptStatus.CANCELLED
            until(lambda: world.ended(order.attempt, pid))

    def test_a_timeout_outlives_the_engine(self, world: World, tmp_path: Path) -> None:
        driver = EngineProcess(world, self.driver_arguments(), tmp_path)
        mark, never = world.spot("mark"), world.spot("never")
        order = world.order("wait_for", mark=str(mark), go=str(never), timeout=2 * self.timeout)
        driver.start([order])
        until(lambda: told(mark))
        driver.kill()
        with world.executor() as executor:
            executor.adopt([order.attempt])
            assert collect(executor)[order.attempt].status is AttemptStatus.TIMED_OUT

    def test_no_process_is_left_by_close(self, world: World) -> None:
        before = children()
        with world.executor() as executor:
            one(executor, world.order("add", x=1))
            assert children() != before
        assert children() == before

    def driver_arguments(self) -> dict[str, Any]:
        """Options of an executor that another process makes."""
        return {}


def children() -> set[int]:
    """This process's child processes, zombies included."""
    found: set[int] = set()
    for task in os.listdir("/proc/self/task"):
        text = Path(f"/proc/self/task/{task}/children").read_text("ascii")
        found |= {int(word) for word in text.split()}
    return found


def world_ref(world: World, value: object) -> Stored:
    return Stored(ref=world.stored(value))


def world_file(world: World) -> Path:
    path = world.home / "given.txt"
    path.write_text("from a file")
    return path


class EngineProcess:
    """An executor in a process of its own, to be killed without warning."""

    CODE = """
import sys, msgspec
from pathlib import Path
from mainspring.execution.executors.local import LocalExecutor
from mainspring.records.runs import Order
from mainspring.storage.blobs import LocalBlobs
home, orders, options = sys.argv[1:]
blobs = LocalBlobs(Path(home, "blobs"))
executor = LocalExecutor(Path(home), blobs, **msgspec.json.decode(options))
executor.launch(msgspec.json.decode(Path(orders).read_bytes(), type=list[Order]))
while True:
    executor.wait(60)
"""

    def __init__(self, world: World, options: dict[str, Any], folder: Path) -> None:
        self._world = world
        self._options = options
        self._orders = folder / "orders.json"
        self._process: Any = None

    def start(self, orders: list[Order]) -> None:
        import subprocess

        import msgspec

        self._orders.write_bytes(msgspec.json.encode(orders))
        options = json.dumps(self._options)
        self._process = subprocess.Popen(
            [sys.executable, "-c", self.CODE, str(self._world.home), str(self._orders), options]
        )

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
