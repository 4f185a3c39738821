"""Graphs of every shape, from the program: what runs, what is reused, what comes out."""

from __future__ import annotations

import itertools
import json

import pytest
from tests.e2e.place import Place, Result, polite

FLOW = """
    @step
    def numbers(n: int) -> list[int]:
        return list(range(n))

    @step
    def square(x: int, by: int = 1) -> int:
        return x * x * by

    @step
    def total(xs: list[int]) -> int:
        return sum(xs)

    @step
    def draw(name: str) -> float:
        log(loss=1.0)
        return float(rng().random())

    @step(join=True)
    def either(a: int | None, b: int | None = 7) -> list:
        return [a, b]

    @step
    def half(x: float) -> float:
        log(x=x)
        return x / 2

    @pipeline
    def mapped(n: int = 5, by: int = 1):
        return total(square.map(numbers(n), by=by))

    @pipeline
    def draws(names: list[str] = ["a", "b", "c"]):
        return draw.map(names)

    @pipeline
    def branches(n: int = 3):
        s = total(numbers(n))
        with when(s > 2) as big:
            a = square(s)
            deep = square.options(name="deep")(a)
        with big.otherwise():
            b = square.options(name="small")(s)
        square.options(name="needs")(b)
        return either(a, b)

    @pipeline
    def halve(x: float):
        return {"x": half(x)}

    @pipeline
    def rounds(x: float = 10.0, max_x: float = 1.0):
        found = repeat(halve, until=lambda out: out.x < 1.0, max=10)(x=x)
        return {"x": found.x, "rounds": found.rounds}

    @pipeline
    def inner(n: int):
        return {"sum": total(numbers(n)), "first": square(2)}

    @pipeline
    def nested(n: int = 3):
        a = inner(n)
        b = inner.options(name="again")(4)
        return total([a.sum, b.sum])

    @step
    def text_file(n: int) -> Path:
        path = workdir() / "numbers.txt"
        path.write_text("".join(f"{i}\\n" for i in range(n)))
        return path

    @step
    def read_back(file: Path) -> str:
        return file.read_text()

    count = command(
        "sh count.sh {inputs.file} {inputs.factor} {outputs.counted}",
        inputs={"file": Path, "factor": int}, outputs={"counted": "counted.txt"},
        files=["count.sh"], name="count",
    )

    @pipeline
    def commands(factor: int = 2):
        return read_back(count(file=text_file(5), factor=factor))
"""
YAML = """\
pipeline: commands
parameters: { factor: 2 }
steps:
  text_file: { uses: "flow:text_file", with: { n: 5 } }
  count:
    run: "sh count.sh {inputs.file} {inputs.factor} {outputs.counted}"
    inputs: { file: pathlib.Path, factor: int }
    outputs: { counted: counted.txt }
    files: [count.sh]
    with: { file: "${{ steps.text_file }}", factor: "${{ parameters.factor }}" }
  read_back: { uses: "flow:read_back", with: { file: "${{ steps.count }}" } }
outputs: { result: "${{ steps.read_back }}" }
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("shapes") / "demo", "flow:mapped")
    place.flow(FLOW)
    place.write("count.sh", 'echo "$(($(wc -l < "$1") * $2))" > "$3"\n')
    place.write("commands.yaml", YAML)
    return place


def run(place: Place, *words: str) -> Result:
    """Run, and show that run (others may have come since)."""
    return place.show(place.run(*words).json["run"]["id"])


def test_map(shared: Place) -> None:
    shown = run(shared, "flow:mapped")
    assert shared.value("total", shown.json["run"]["id"]) == 30
    again = run(shared, "flow:mapped", "-p", "n=6")
    name = again.json["run"]["id"]
    assert shared.value("total", name) == 55
    children = {task["path"]: task["children"] for task in again.json["tasks"]}
    assert children["square"] == {"reused": 5, "succeeded": 1}
    assert shared.value("square[5]", name) == 25


def test_map_over_nothing(shared: Place) -> None:
    shown = run(shared, "flow:mapped", "-p", "n=0")
    assert shared.value("total", shown.json["run"]["id"]) == 0
    assert json.loads(shared("plan", "flow:mapped", "-p", "n=0", "--json").out)["tasks"]


@pytest.mark.timeout(100)
def test_map_of_two_thousand(place: Place) -> None:
    place.flow(FLOW)
    shown = run(place, "flow:mapped", "-p", "n=2000")
    assert shown.json["counts"] == {"succeeded": 2003}
    assert place.value("total") == sum(i * i for i in range(2000))
    assert place.counts("flow:mapped", "-p", "n=2000") == {"reused": 2003}
    assert place.value("square[1999]") == 1999**2


def test_seeds_of_elements_do_not_move(shared: Place) -> None:
    first = run(shared, "flow:draws").json["run"]["id"]
    values = dict(zip("abc", shared.value("draw", first), strict=True))
    assert len(set(values.values())) == 3
    shown = run(shared, "flow:draws", "-p", 'names=["x", "a", "b", "y", "c"]')
    name = shown.json["run"]["id"]
    after = dict(zip("xabyc", shared.value("draw", name), strict=True))
    assert {key: after[key] for key in "abc"} == values
    [task] = shown.json["tasks"]
    assert task["children"] == {"reused": 3, "succeeded": 2}
    other = run(shared, "flow:draws", "--seed", "1").json["run"]["id"]
    assert not set(shared.value("draw", other)) & set(values.values())


@pytest.mark.parametrize(
    ("n", "skipped", "result"),
    [(3, {"small", "needs"}, [9, 7]), (2, {"square", "deep"}, [None, 1])],
)
def test_branches(shared: Place, n: int, skipped: set[str], result: list[int]) -> None:
    shown = run(shared, "flow:branches", "-p", f"n={n}")
    found = {path for path, status in shown.statuses.items() if status == "skipped"}
    assert found == skipped
    name = shown.json["run"]["id"]
    assert shared.value("either", name) == result
    for path in skipped:
        said = shared("why", f"{name}/{path}").out
        assert "skipped" in said
        assert "condition is false" in said or "was skipped" in said


def test_rounds(shared: Place) -> None:
    shown = run(shared, "flow:rounds")
    assert {f"halve#{i}/half" for i in range(1, 5)} <= set(shown.statuses)
    assert "halve#5/half" not in shown.statuses
    name = shown.json["run"]["id"]
    assert shared.value("halve#4/half", name) == 0.625
    assert set(run(shared, "flow:rounds").statuses.values()) <= {"reused", "succeeded"}
    last = {m["task"]: m["last"] for m in shown.json["metrics"]}
    assert last["halve#4/half"] == 1.25
    # A larger limit would be another pipeline; another start is another row of rounds.
    more = run(shared, "flow:rounds", "-p", "x=20").statuses
    assert more["halve#5/half"] == "succeeded"


def test_pipelines_in_pipelines(shared: Place) -> None:
    shown = run(shared, "flow:nested")
    assert set(shown.statuses) == {
        "inner/numbers", "inner/total", "inner/square",
        "again/numbers", "again/total", "again/square", "total",
    }  # fmt: skip
    assert shared.value("total", shown.json["run"]["id"]) == 9
    graph = shared("show", shown.json["run"]["id"], "--graph").out
    assert "again/total" in graph
    forced = shared.run("flow:nested", "--force", "again/numbers").json
    assert forced["counts"] == {"succeeded": 1, "reused": 6}


def test_commands(shared: Place) -> None:
    name = run(shared, "flow:commands").json["run"]["id"]
    assert shared("artifacts", "get", name, "read_back", "-o", "-").out == "10\n"
    assert shared.counts("flow:commands") == {"reused": 3}
    assert shared.counts("flow:commands", "-p", "factor=3") == {"reused": 1, "succeeded": 2}


def test_a_pipeline_file_is_the_same_pipeline(shared: Place) -> None:
    run(shared, "flow:commands")
    python = shared.plan("flow:commands")
    yaml = shared.plan("commands.yaml")
    assert {path: task["key"] for path, task in yaml.items()} == {
        path: task["key"] for path, task in python.items()
    }
    assert shared.counts("commands.yaml") == {"reused": 3}


def test_a_commands_file_is_edited(place: Place) -> None:
    place.flow(FLOW)
    script = place.write("count.sh", 'echo "$(($(wc -l < "$1") * $2))" > "$3"\n')
    place.run("flow:commands")
    place.edit("flow.py", "def commands", "\n\n\ndef commands")
    assert place.counts("flow:commands") == {"reused": 3}
    script.write_text('echo "it is $(($(wc -l < "$1") * $2))" > "$3"\n')
    assert place.choices("flow:commands") == {
        "text_file": "reuse", "count": "run", "read_back": "unknown",
    }  # fmt: skip
    place.run("flow:commands")
    assert place("artifacts", "get", "latest", "read_back", "-o", "-").out == "it is 10\n"


@pytest.mark.parametrize(
    ("script", "parts"),
    [
        ("exit 3", ["exit status 3"]),
        ("echo so it goes >&2; exit 1", ["so it goes"]),
        ("true", ["counted.txt", "did not write"]),
        ("kill -SEGV $$", ["SIGSEGV"]),
        ("cat flow.py", ["No such file"]),  # it sees only the files that it declares
    ],
)
def test_commands_that_fail(place: Place, script: str, parts: list[str]) -> None:
    place.flow(FLOW)
    place.write("count.sh", script)
    done = place("run", "flow:commands")
    assert done.code == 1
    assert "Traceback" not in done.err
    for part in parts:
        assert part in done.err, done.err


def test_a_command_without_its_program(place: Place) -> None:
    place.flow("""
        absent = command("no-such-program {outputs.x}", outputs={"x": "x"}, name="absent")

        @pipeline
        def main():
            absent()
    """)
    done = place("run")
    assert done.code == 1
    assert "no-such-program" in done.err
    assert "installed" in done.err


def test_lengths_that_differ(place: Place) -> None:
    place.flow(
        FLOW
        + """
    @pipeline
    def main():
        square.map(numbers(3), numbers(4))
    """
    )
    done = place("run")
    assert done.code == 1
    assert "x has 3, by has 4" in done.err
    assert "flow.py:" in done.err


def test_a_failing_checkpoint(place: Place) -> None:
    place.flow("""
        @step
        def score() -> float:
            return 0.5

        @step
        def publish(x: float) -> float:
            return x

        @pipeline
        def main(limit: float = 0.9):
            s = score()
            good = checkpoint("good", s >= limit)
            publish.options(after=good)(s)
    """)
    assert place("run", "-p", "limit=0.4").code == 0
    done = place("run")
    assert done.code == 1
    assert "good" in done.err
    assert "0.5" in done.err
    assert "0.9" in done.err
    assert place.show().statuses == {"score": "reused", "good": "failed", "publish": "blocked"}
    assert place.choices()["good"] == "fail"


def test_as_many_workers_as_there_are(place: Place) -> None:
    """No more attempts at once than fit, whatever their order."""
    place = Place(place.root, more="[execution]\nworkers = 2\nresources = { token = 1 }\n")
    place.flow("""
        @step(resources={"token": 1})
        def alone(i: int) -> list[float]:
            begun = time.time()
            time.sleep(0.02)
            return [begun, time.time()]

        @pipeline
        def main():
            alone.map([1, 2, 3, 4, 5])
    """)
    place.run()
    times = sorted(place.value("alone"))
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(times))
    place.edit("flow.py", '{"token": 1}', '{"token": 2}')
    polite(place("run", "--force", "alone"), 2, "token=2", "there is 1")
