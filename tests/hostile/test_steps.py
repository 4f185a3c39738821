"""Steps that fight their worker: beyond tests/e2e/test_bad_steps.py, in one run again."""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e.place import LIMIT, Place, Result, at_work, finish, until

STEPS = '''
    import atexit, builtins, json, resource, threading

    class Worst(BaseException):
        def __str__(self):
            raise KeyboardInterrupt

        __repr__ = __str__

    class Nameless(Exception):
        @property
        def __cause__(self):
            raise ValueError

    class Liar(str):
        def encode(self, *a, **k):
            raise RuntimeError

    @step
    def fine() -> int:
        return 1

    @step
    def raises_worst() -> int:
        raise Worst

    @step
    def raises_surrogates() -> int:
        raise ValueError("\\ud800 \\0 \\x1b[31m")

    @step
    def raises_much() -> int:
        raise ValueError("x" * 50_000_000)

    @step
    def raises_deep() -> int:
        error = None
        for number in range(3000):
            try:
                raise ValueError(number) from error
            except ValueError as found:
                error = found
        raise error

    @step
    def raises_a_group() -> int:
        raise ExceptionGroup("\\ud800", [ValueError(threading.Lock()) for _ in range(1000)])

    @step
    def raises_odd_name() -> int:
        raise type("\\ud800" + "x" * 100000, (Exception,), {})("y")

    @step
    def raises_odd_cause() -> int:
        raise Nameless("z")

    @step
    def exits_oddly() -> int:
        sys.exit(Worst())

    @step
    def returns_surrogates() -> str:
        return "a\\ud800"

    @step
    def returns_nul() -> str:
        return "a\\0b\\x1b[31m"

    @step
    def returns_odd_keys() -> dict:
        return {1: 2, (1, 2): 3, None: 4, 1.5: 5}

    @step
    def returns_itself() -> list:
        found = []
        found.append(found)
        return found

    @step
    def returns_deep() -> list:
        found = []
        for _ in range(100_000):
            found = [found]
        return found

    @step
    def returns_big_number() -> int:
        return 10 ** 100_000

    @step
    def returns_a_lie() -> list[int]:
        return {"not": "a list"}

    @step
    def returns_a_liar() -> str:
        return Liar("x")

    @step
    def breaks_json() -> int:
        json.dumps = json.loads = None
        return 1

    @step
    def breaks_builtins() -> int:
        builtins.open = builtins.len = builtins.isinstance = None
        return 1

    @step
    def breaks_os() -> int:
        os.write = os.open = os.link = os.fsync = None
        return 1

    @step
    def breaks_msgspec() -> int:
        import msgspec
        msgspec.json.encode = msgspec.json.Encoder = None
        return 1

    @step
    def ends_late() -> int:
        atexit.register(os._exit, 7)
        return 1

    @step
    def no_files() -> int:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        return 1

    @step
    def no_sizes() -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        return 1

    @step(timeout="1s")
    def deaf() -> int:
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True:
            time.sleep(0.05)

    @step(timeout="2s")
    def breeds() -> int:
        """As many as its limit allows, each of which goes on."""
        resource.setrlimit(resource.RLIMIT_NPROC, (4096, 4096))
        for _ in range(60):
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(987)
                os._exit(0)
        time.sleep(987)
        return 1

    @step
    def prints_much() -> int:
        line = b"\\x1b[2J\\xff" * 1000 + b"\\n"
        for _ in range(4000):
            os.write(1, line)
        return 1

    @step
    def prints_one_line() -> int:
        os.write(1, b"x" * 20_000_000)
        return 1

    @step
    def logs_many() -> int:
        log({f"m{number}": number for number in range(20_000)})
        return 1

    @step
    def logs_long_names() -> int:
        log({"x" * 100_000: 1})
        return 1

    @step
    def logs_half_names() -> int:
        log({"\\ud800": 1})
        return 1

    @step
    def logs_huge_numbers() -> int:
        log(a=10 ** 308, b=-1e308, c=5e-324, d=float("nan"), step=1e300)
        return 1
'''
NAMES = [
    line.split("def ")[1].split("(")[0]
    for line in STEPS.splitlines()
    if line.startswith("    def ") and "() ->" in line
]
PIPELINE = "\n    @pipeline\n    def main():\n" + "".join(f"        {name}()\n" for name in NAMES)
GOOD = {
    "fine", "returns_nul", "ends_late", "prints_much", "prints_one_line", "logs_many",
    "logs_huge_numbers",
}  # fmt: skip


class Ended:
    def __init__(self, place: Place, done: Result) -> None:
        self.place = place
        self.done = done
        self.shown: Any = place.show().json
        self.tasks = {task["path"]: task for task in self.shown["tasks"]}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    place = Place(tmp_path_factory.mktemp("fights") / "demo", more="[execution]\nworkers = 4\n")
    place.flow(STEPS + PIPELINE)
    return Ended(place, finish(place.popen("run"), LIMIT))


def test_the_engine_goes_on(ended: Ended) -> None:
    assert ended.done.code == 1, ended.done
    assert "Traceback" not in ended.done.err
    assert "bug in" not in ended.done.err
    assert "\x1b" not in ended.done.err + ended.done.out
    assert len(ended.done.err) < 100_000
    good = {path for path, task in ended.tasks.items() if task["status"] == "succeeded"}
    assert good >= GOOD
    assert {task["status"] for task in ended.tasks.values()} == {"succeeded", "failed"}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("raises_worst", "Worst"),
        ("raises_surrogates", "\\ud800 \\x00"),
        ("raises_much", "xxx"),
        ("raises_deep", "2999"),
        ("raises_a_group", "sub-exceptions"),
        ("raises_odd_name", "\\ud800"),
        ("raises_odd_cause", "Nameless"),
        ("returns_surrogates", "surrogate"),
        ("returns_itself", "contains itself|nested too deeply"),
        ("returns_deep", "nested too deeply"),
        ("returns_a_lie", "dict, where list"),
        ("deaf", "1 s"),
        ("breeds", "2 s"),
        ("logs_long_names", "100,000"),
        ("logs_half_names", "character"),
    ],
)
def test_the_error_says_what_happened(ended: Ended, name: str, part: str) -> None:
    error = ended.tasks[name]["error"]
    text = f"{error['kind']}: {error['message']}"
    assert any(one in text for one in part.split("|")), text[:500]
    assert len(text) < 11_000


def test_what_they_did_can_be_shown(ended: Ended) -> None:
    for words in (("show",), ("show", "latest", "logs_many"), ("why", "latest/raises_deep")):
        done = ended.place(*words)
        assert done.code == 0, done
        assert "\x1b" not in done.out
    assert ended.place("doctor", "--deep").code == 0


def test_nothing_is_left_running(ended: Ended) -> None:
    until(lambda: not at_work(ended.place), what=str(at_work(ended.place)))


def test_the_next_run_reuses_what_succeeded(ended: Ended) -> None:
    plan = ended.place.choices()
    assert all(plan[name] == "reuse" for name in GOOD)
