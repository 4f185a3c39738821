"""Pipelines run from Python: scripts, pytest, and the example."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from tests.e2e.place import HEAD, Place

EXAMPLES = Path(__file__).parents[2] / "examples"
WHOLE = """
    class Pair(NamedTuple):
        a: int
        b: list[int]

    @dataclass
    class Point:
        x: int
        y: int = 2

        def length(self):
            return self.x + self.y

    class Odd:
        def __init__(self, x):
            self.x = x

    @step
    def pair(n: int) -> Pair:
        return Pair(n, [n] * 3)

    @step
    def both(p: Pair) -> int:
        return p.a + sum(p.b)

    @step
    def point(n: int) -> Point:
        return Point(n)

    @step
    def points(n: int) -> list[Point]:
        return [Point(n), Point(n + 1)]

    @step
    def length(p: Point) -> int:
        return p.length()

    @step
    def odd(n: int) -> Odd:
        return Odd(n)

    @step
    def even(o: Odd) -> int:
        assert type(o) is Odd
        return o.x * 2

    @pipeline
    def main(n: int = 3):
        return {
            "both": both(pair(n)), "length": length(point(n)),
            "lengths": length.map(points(n)), "even": even(odd(n)),
        }
"""


def test_a_script_with_everything_in_it(place: Place) -> None:
    place.flow(
        WHOLE
        + """
    if __name__ == "__main__":
        run = main.run(n=4)
        print(run.status, run.result, run.outputs["even"])
        print(run["point"], run.task("pair").status, sorted(run.tasks)[:3])
    """
    )
    done = place.script("flow.py")
    assert done.code == 0, done
    assert done.out.splitlines()[0] == (
        "succeeded {'both': 16, 'length': 6, 'lengths': [6, 7], 'even': 8} 8"
    )
    # The program reuses what the script has computed, and the other way round.
    assert place.counts("-p", "n=4") == {"reused": 10}
    place.run("-p", "n=5")
    again = place.write(
        "other.py", "from flow import main\nprint(main.run(n=5).task('odd').status)"
    )
    assert place.script(again.name).out == "reused\n"


def test_a_script_in_a_folder(place: Place) -> None:
    place.flow(WHOLE + "\n    if __name__ == '__main__':\n        print(main.run().result['both'])",
               "scripts/flow.py")  # fmt: skip
    place.write("scripts/beside.py", "X = 1\n")
    place.edit("scripts/flow.py", "import os, signal", "import beside, os, signal")
    done = place.script("scripts/flow.py")
    assert (done.code, done.out) == (0, "12\n"), done


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("main.run(m=1)", ["`m`|'m'", "n"]),
        ("main.run(n='x')", ["n", "int", "'x'"]),
        ("main.run(1, 2)", ["main", "2"]),
        ("main.run(n=object())", ["n", "object"]),
        ("main.run(n=float('nan'))", ["n", "nan|float"]),
        ("main.run(n=0)['nothing']", ["nothing"]),
    ],
)
def test_wrong_use_raises_one_error(place: Place, line: str, parts: list[str]) -> None:
    place.flow(WHOLE)
    place.write(
        "use.py",
        f"""
        from flow import main
        from mainspring import MainspringError
        try:
            {line}
        except MainspringError as error:
            print(error)
        """,
    )
    done = place.script("use.py")
    assert done.code == 0, done
    for part in parts:
        assert any(word in done.out for word in part.split("|")), done.out


def test_a_failed_run_says_why(place: Place) -> None:
    place.flow("""
        @step
        def fails(n: int) -> int:
            raise ValueError(f"not {n}")

        @pipeline
        def main(n: int = 3):
            return fails(n)

        if __name__ == "__main__":
            run = main.run()
            print(run.status, run.task("fails").error.message)
            run.result
    """)
    done = place.script("flow.py")
    assert done.out == "failed not 3\n"
    assert "RunFailedError" in done.err
    assert "fails: ValueError: not 3" in done.err


def test_run_at_import_is_refused_in_workers(place: Place) -> None:
    """No endless regress of workers that start runs."""
    place.flow("""
        @step
        def one() -> int:
            return 1

        @pipeline
        def main():
            return one()

        run = main.run()
        print(run.status, run.task("one").error)
    """)
    done = place.script("flow.py")
    assert done.out.startswith("failed"), done
    assert 'if __name__ == "__main__"' in done.out, done
    assert "flow.py:" in done.out, done
    assert len(place.attempts()) == 1


def test_the_order_of_many_outputs(place: Place) -> None:
    place.flow("""
        @step
        def many() -> tuple[int, int, int, int, int, int, int, int, int, int, int, int]:
            return tuple(range(12))

        @step
        def back(t: tuple) -> list:
            return list(t)

        @step
        def one(i: int) -> int:
            return i

        @dataclass
        class Backwards:
            z: int
            a: int

        @step
        def backwards() -> Backwards:
            return Backwards(1, 2)

        @step
        def fields(p: Backwards) -> list[int]:
            return [p.z, p.a]

        @pipeline
        def inner():
            return tuple(one(i) for i in range(12))

        @pipeline
        def main():
            t = many()
            return (back(t), t[10], back.options(name="again")(inner()), fields(backwards()),
                    *[one(i) for i in range(9)])

        if __name__ == "__main__":
            print(main.run().result)
    """)
    twelve = list(range(12))
    assert place.script("flow.py").out == f"{(twelve, 10, twelve, [1, 2], *range(9))}\n"
    assert set(place.choices().values()) == {"reuse"}


def test_from_pytest(place: Place) -> None:
    place.flow(WHOLE)
    place.write(
        "test_flow.py",
        """
        import pytest
        from flow import main, even, odd, Odd, length, Point

        def test_steps_are_functions():
            assert even(odd(3)) == 6
            assert length.map([Point(1), Point(2)]) == [3, 4]

        @pytest.mark.parametrize("n", [1, 2])
        def test_pipeline(n):
            run = main.run(n=n)
            assert run.result["both"] == 4 * n
            assert run["odd"].x == n
            assert type(run["odd"]) is Odd
        """,
    )
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_flow.py")
    for _ in range(2):
        done = place.script(words[0], *words[1:])
        assert done.code == 0, done.out
        assert "3 passed" in done.out


def test_typed_at_a_prompt(place: Place) -> None:
    text = (
        HEAD + "@step\ndef one() -> int:\n    return 1\n@pipeline\ndef main():\n    return one()\n"
    )
    done = place.script("-c", text + "print(main.run().status)")
    if sys.version_info >= (3, 13):  # which keeps the source
        assert done.out == "succeeded\n", done
        return
    assert done.code == 1
    assert "DefinitionError" in done.err
    assert "prompt" in done.err
    assert "file of a project" in done.err


@pytest.mark.timeout(100)
def test_digits_from_two_directories(tmp_path: Path) -> None:
    places: list[Place] = []
    for name in ("one", "a second/place"):
        place = Place(tmp_path / name)
        shutil.copytree(
            EXAMPLES / "digits", place.root, dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(".mainspring", "__pycache__"),
        )  # fmt: skip
        place.run()
        places.append(place)
    one, two = places
    digests = one.show().digests
    assert len(digests) >= 10
    assert two.show().digests == digests
    assert {path: task["key"] for path, task in one.plan().items()} == {
        path: task["key"] for path, task in two.plan().items()
    }
    before = one.attempts()
    again = one.run().json["counts"]
    assert set(again) <= {"reused", "succeeded"}
    assert again.get("succeeded", 0) <= 2
    assert one.attempts() == before
    assert {"train/accuracy", "evaluate/accuracy", "evaluate/worst_class", "train/iterations"} >= {
        f"{m['task']}/{m['name']}" for m in two.show().json["metrics"]
    }
    assert [a["task"] for a in two.show().json["artifacts"] if not a["data_only"]] == []
    done = one.script("pipeline.py")
    assert done.out.startswith("succeeded"), done
