"""Steps that misbehave: each is an error of its own attempt, and of nothing else.

All of them are in one run, as branches that have nothing to do with each other.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e.place import LIMIT, Place, Result, alive, at_work, finish, until

STEPS = '''
    import ctypes, threading

    class Pair(NamedTuple):
        a: int
        b: str

    @dataclass
    class Shape:
        x: int
        y: int

    class Rude(Exception):
        def __str__(self):
            raise RuntimeError("not telling")

    @step
    def fine() -> int:
        return 1

    @step
    def exits() -> int:
        print("last words")
        os._exit(3)

    @step
    def exits_as_if_done() -> int:
        os._exit(0)

    @step
    def leaves() -> int:
        sys.exit(4)

    @step
    def segfaults() -> int:
        return ctypes.string_at(0)[0]

    @step
    def aborts() -> int:
        os.abort()

    @step
    def kills_itself() -> int:
        os.kill(os.getpid(), signal.SIGKILL)

    @step(memory="200MB")
    def swallows() -> int:
        return len(bytearray(4_000_000_000))

    @step(memory="200MB")
    def bloats() -> int:
        held = []
        while True:
            held.append(os.urandom(1_000_000))

    @step(timeout="0.6s")
    def ignores_sigterm() -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        deaf = lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen(["sleep", "987"], preexec_fn=deaf)
        while True:
            time.sleep(0.1)

    @step
    def one_of_two() -> Pair:
        return 5

    @step
    def too_many() -> tuple[int, int]:
        return 1, 2, 3

    @step
    def not_the_dataclass() -> Shape:
        return {"x": 1, "y": 2}

    @step
    def nothing() -> Shape:
        pass

    @step
    def a_lock() -> Any:
        return threading.Lock()

    @step
    def an_open_file() -> Any:
        return open(__file__)

    @step
    def a_lambda_in_a_list() -> list:
        return [1, lambda x: x]

    @step
    def raises_rudely() -> int:
        raise Rude

    @step
    def recurses() -> int:
        return recurses.function()

    @step
    def interrupts() -> int:
        raise KeyboardInterrupt

    @step
    def writes_into_its_source() -> int:
        Path(__file__).with_name("made.txt").write_text("x")
        return 1

    @step
    def prints_anything() -> int:
        sys.stdout.write("\\x1b[31mred\\x1b]0;title\\x07 \\udc80 \\x00\\n")
        sys.stdout.buffer.write(b"\\xff\\xfe\\n")
        return 1

    @step
    def closes_everything() -> int:
        os.closerange(0, 3)
        return 1

    @step
    def closes_really_everything() -> int:
        os.closerange(0, 200)
        return 1

    @step
    def goes_elsewhere() -> int:
        os.chdir("/")
        os.umask(0o777)
        return 1

    @step
    def leaves_a_thread() -> int:
        threading.Thread(target=time.sleep, args=(987,)).start()
        return 1

    @step
    def forks() -> int:
        """Children, grandchildren, and one in a session of its own: all told to a file."""
        with open(workdir() / ".." / "pids", "w", buffering=1) as file:
            for lost in (False, True):
                if os.fork() == 0:
                    if lost:
                        os.setsid()
                        if os.fork():
                            os._exit(0)
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    signal.signal(signal.SIGHUP, signal.SIG_IGN)
                    file.write(f"{os.getpid()}\\n")
                    time.sleep(987)
            while len(open(file.name).readlines()) < 2:
                time.sleep(0.01)
        return 1

    @step
    def logs_wrongly() -> int:
        log(loss="small")
        return 1

    @step
    def logs_nothings() -> int:
        log(a=float("nan"), b=float("inf"))
        return 1

    @step
    def makes_two(n: int) -> int:
        if n == 1:
            os._exit(9)
        return n

    @step
    def after_failure(n: int) -> int:
        return n
'''
NAMES = [
    line.split("def ")[1].split("(")[0]
    for line in STEPS.splitlines()
    if line.startswith("    def ") and "()" in line
]
PIPELINE = (
    "\n    @pipeline\n    def main():\n"
    + "".join(f"        {name}()\n" for name in NAMES)
    + "        after_failure(exits())\n        makes_two.map([0, 1, 2])\n"
)
GOOD = {
    *("fine", "prints_anything", "closes_everything", "goes_elsewhere", "leaves_a_thread"),
    *("forks", "logs_nothings", "closes_really_everything"),
}


class Ended:
    """The run in which all of it happened. Only to be read."""

    def __init__(self, place: Place, done: Result) -> None:
        self.place = place
        self.done = done
        self.shown: Any = place.show().json
        self.tasks = {task["path"]: task for task in self.shown["tasks"]}

    def error(self, name: str) -> dict[str, str]:
        return self.tasks[name]["error"]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    place = Place(tmp_path_factory.mktemp("bad") / "demo", more="[execution]\nworkers = 4\n")
    place.flow(STEPS + PIPELINE)
    done = finish(place.popen("run"), LIMIT)
    return Ended(place, done)


def test_the_engine_goes_on(ended: Ended) -> None:
    assert ended.done.code == 1
    assert "Traceback" not in ended.done.err
    assert ended.shown["run"]["status"] == "failed"
    statuses = {path: task["status"] for path, task in ended.tasks.items()}
    good = {path for path, status in statuses.items() if status == "succeeded"}
    assert good == GOOD
    assert statuses.pop("after_failure") == "blocked"
    assert set(statuses.values()) == {"succeeded", "failed"}
    assert all(task["attempts"] == 1 for task in ended.tasks.values() if task["kind"] == "step"
               and task["status"] != "blocked")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("exits", ["os._exit(3)"]),
        ("exits_as_if_done", ["os._exit(0)"]),
        ("leaves", ["sys.exit(4)"]),
        ("segfaults", ["SIGSEGV"]),
        ("aborts", ["SIGABRT"]),
        ("kills_itself", ["SIGKILL"]),
        ("swallows", ["memory", "MB|MiB"]),
        ("bloats", ["memory", "MB|MiB"]),
        ("ignores_sigterm", ["0.6 s"]),
        ("one_of_two", ["one_of_two", "Pair", "int"]),
        ("too_many", ["too_many", "2", "3"]),
        ("not_the_dataclass", ["not_the_dataclass", "Shape", "dict"]),
        ("nothing", ["nothing", "Shape", "None"]),
        ("a_lock", ["lock"]),
        ("an_open_file", ["TextIOWrapper"]),
        ("a_lambda_in_a_list", ["lambda|function"]),
        ("raises_rudely", ["Rude"]),
        ("recurses", ["RecursionError"]),
        ("interrupts", ["interrupted"]),
        ("writes_into_its_source", ["made.txt", "workdir"]),
        ("logs_wrongly", ["loss", "small|str"]),
    ],
)
def test_the_error_says_what_happened(ended: Ended, name: str, parts: list[str]) -> None:
    error = ended.error(name)
    text = f"{error['kind']}: {error['message']}"
    for part in parts:
        assert any(word in text for word in part.split("|")), text


def test_errors_have_a_place_in_the_users_file(ended: Ended) -> None:
    for name in (
        "leaves",
        "a_lock",
        "one_of_two",
        "recurses",
        "writes_into_its_source",
        "swallows",
    ):
        assert ended.error(name)["where"].startswith("flow.py:"), ended.error(name)


def test_an_element_that_dies_leaves_the_others(ended: Ended) -> None:
    assert ended.tasks["makes_two"]["children"] == {"succeeded": 2, "failed": 1}
    assert [task["path"] for task in ended.shown["failed"] if task["node"] == "makes_two"] == [
        "makes_two[1]"
    ]


def test_what_was_printed_is_kept(ended: Ended) -> None:
    place = ended.place
    assert place("logs", "latest", "exits").out == "last words\n"
    printed = place.popen("logs", "latest", "prints_anything")
    printed.wait(LIMIT)
    assert printed.stdout is not None
    raw = printed.stdout.buffer.read()
    printed.communicate()
    assert b"\x1b[31mred" in raw
    assert b"\xff\xfe" in raw
    assert "\x1b" not in place("show", "latest", "prints_anything").out


def test_nothing_is_left_running(ended: Ended) -> None:
    pids = [
        int(line)
        for file in (ended.place.home / "attempts").glob("*/pids")
        for line in file.read_text().split()
    ]
    assert len(pids) == 2
    assert not any(map(alive, pids))
    until(lambda: not at_work(ended.place), what=str(at_work(ended.place)))


def test_nothing_is_left_in_the_home(ended: Ended) -> None:
    assert not list((ended.place.home / "attempts").glob("*/work"))
    assert not (ended.place.root / "made.txt").exists()
    assert ended.place("doctor").code == 0


def test_odd_metrics_are_shown(ended: Ended) -> None:
    found = {m["name"]: m for m in ended.shown["metrics"] if m["task"] == "logs_nothings"}
    assert set(found) == {"a", "b"}
    assert "nan" in ended.place("show", "latest", "logs_nothings").out.lower()
