"""Steps that are defined in cells of a notebook, in a real kernel: run, reused, edited, refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from tests.notebooks.kernel import Kernel

HEAD = """
    import math
    from dataclasses import dataclass
    from mainspring import pipeline, step

    RATE = 0.5
    TABLE = {"low": [1, 2], "none": None, "far": float("inf")}
"""
HELPERS = """
    @dataclass
    class Scores:
        accuracy: float
        count: int

    def weight(x):
        return x * RATE + TABLE["low"][0] + again(x)

    def again(x):
        return 0 if x > 1 else weight(x + 5)
"""
STEPS = """
    @step
    def load(n: int) -> list[int]:
        return list(range(n))

    @step
    def score(values: list[int]) -> Scores:
        return Scores(accuracy=weight(math.fsum(values)), count=len(values))
"""
PIPELINE = """
    @pipeline
    def main(n: int = 4):
        return score(load(n))
"""
RUN = """
    run = main.run()
    print(run.status, *(f"{path}={task.status}" for path, task in sorted(run.tasks.items())))
"""


def begun(kernel: Kernel) -> Kernel:
    for cell in (HEAD, HELPERS, STEPS, PIPELINE):
        kernel.run(cell)
    return kernel


def program(project: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mainspring", "-C", str(project), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_runs_and_is_reused(kernel: Kernel) -> None:
    begun(kernel)
    assert kernel.run(RUN).text == "succeeded load=succeeded score=succeeded\n"
    shown = kernel.run("print(run.result, type(run.result) is Scores, run['load'])").text
    assert shown == "Scores(accuracy=4.0, count=4) True [0, 1, 2, 3]\n"
    assert kernel.run(RUN).text == "succeeded load=reused score=reused\n"


def test_running_a_cell_again_changes_nothing(kernel: Kernel) -> None:
    begun(kernel).run(RUN)
    for cell in (PIPELINE, STEPS, HELPERS, HEAD):
        kernel.run(cell)
    assert kernel.run(RUN).text == "succeeded load=reused score=reused\n"
    # Comments and layout are no code.
    kernel.run(
        "# a comment\n" + dedent(STEPS).replace("    return list", "    # so\n\n    return list")
    )
    assert kernel.run(RUN).text == "succeeded load=reused score=reused\n"


@pytest.mark.parametrize(
    ("cell", "again"),
    [
        ("RATE = 0.7", "load=reused score=succeeded"),
        ("TABLE['low'][0] = 5", "load=reused score=succeeded"),
        ("def again(x):\n    return 1 if x > 1 else weight(x + 5)", "load=reused score=succeeded"),
        ("import json, textwrap\nUNUSED = 3", "load=reused score=reused"),
        (
            "@step\ndef load(n: int) -> list[int]:\n    return list(range(n, 0, -1))",
            "load=succeeded score=succeeded",
        ),
        # Another name that nothing reaches, and the name of a thing that was there before.
        ("def weight2(x): return 3\nweight = weight", "load=reused score=reused"),
        ("def weight(x): return 3", "load=reused score=succeeded"),
    ],
)
def test_an_edit_runs_what_reaches_it(kernel: Kernel, cell: str, again: str) -> None:
    begun(kernel).run(RUN)
    kernel.run(cell)
    assert kernel.run(RUN).text == f"succeeded {again}\n"


def test_a_new_import_runs_only_the_step_that_needs_it(kernel: Kernel) -> None:
    begun(kernel).run(RUN)
    kernel.run("""
        import numpy as np

        @step
        def spread(values: list[int]) -> float:
            return float(np.std(values))

        @pipeline
        def main(n: int = 4):
            values = load(n)
            return score(values), spread(values)
    """)
    expected = "succeeded load=reused score=reused spread=succeeded\n"
    assert kernel.run(RUN).text == expected


def test_a_class_that_is_defined_again(kernel: Kernel) -> None:
    begun(kernel).run(RUN)
    kernel.run(HELPERS.replace("count: int", "count: int\n        extra: str = 'new'"))
    assert kernel.run(RUN).text == "succeeded load=reused score=succeeded\n"
    assert kernel.run("print(run.result)").text == "Scores(accuracy=4.0, count=4, extra='new')\n"


def test_the_terminal_knows_the_run(kernel: Kernel, project: Path) -> None:
    begun(kernel).run(RUN)
    kernel.run("RATE = 0.25")
    kernel.run(RUN)
    [newest, first] = json.loads(program(project, "runs", "--json"))["runs"]
    assert "RATE changed, cell 6, line 1" in program(project, "why", newest["id"], "score")
    assert "score" in program(project, "show", first["id"])
    again = json.loads(program(project, "rerun", first["id"], "-p", "n=5", "--json"))
    assert again["counts"] == {"succeeded": 2}
    value = program(project, "artifacts", "open", again["run"]["id"], "score.accuracy")
    assert json.loads(value) == 6.0  # by the rate of that run's source


def test_an_error_names_the_cell(kernel: Kernel) -> None:
    kernel.run(HEAD)
    kernel.run("""
        # a comment

        @step
        def fails(n: int) -> int:
            raise ValueError(f"not {n}")
    """)
    kernel.run("@pipeline\ndef main(n: int = 4):\n    return fails(n)")
    shown = kernel.run(RUN + "    print(run.task('fails').error.traceback)").text
    assert "fails=failed" in shown
    assert 'File "cell 2", line 5, in fails\n    raise ValueError(f"not {n}")' in shown
    done = kernel.run("run.result", ok=False)
    assert "cell 2, line 5: run" in done.error
    assert "fails: ValueError: not 4" in done.error


def test_a_failed_run_goes_on_in_the_terminal(kernel: Kernel, project: Path) -> None:
    flag = project / "flag"
    kernel.run(HEAD)
    kernel.run(f"""
        from pathlib import Path
        FLAG = Path({str(flag)!r})

        @step(impure="ok")
        def fails(n: int) -> int:
            if not FLAG.exists():
                raise ValueError("not yet")
            return n

        @pipeline
        def main(n: int = 4):
            return fails(n)
    """)
    kernel.run(RUN)
    flag.touch()
    assert "1 succeeded" in program(project, "resume", "latest")


USES = """
    @step
    def uses(n: int) -> int:
        return {body}

    @pipeline
    def main(n: int = 1):
        return uses(n)
"""


@pytest.mark.parametrize(
    ("cell", "body", "said"),
    [
        ("import pandas as pd\nthing = pd.DataFrame()", "len(thing)",
         "cell 3, line 1: step `uses` uses the global `thing`, a DataFrame, which can't be"),
        ("thing = open('/dev/null')", "thing.read()", "`thing`, a TextIOWrapper, which can't be"),
        ("import threading\nthing = threading.Lock()", "thing.locked()", "`thing`, a lock, which"),
        ("class A: pass\nthing = A()", "id(thing)", "`thing`, an A, which can't be captured"),
        ("thing = list(range(100_000))", "len(thing)", "`thing`, a list too large to be code"),
        ("def outer(k):\n    def inner(n): return n + k\n    return inner\nthing = outer(2)",
         "thing(n)", "`thing`, which was made inside a function (outer.<locals>.inner)"),
        ("thing = eval('lambda n: n')", "thing(n)", "needs the source of the function `<lambda>`"),
        ("import math\nmath.floor = lambda n: n\nthing = 1", "math.floor(thing)",
         "`math.floor`, which this notebook has replaced"),
        ("thing = 1", "display(thing)", "`display`, which only a notebook has"),
        ("thing = 1\ndel thing", "thing", "`thing`, which is not defined in this notebook"),
        ("df = object()\ndef thing(n): return df", "thing(n)",
         "cell 2, line 2: step `uses` uses the global `df` (through `thing`), an object, which"),
        ("import types\nthing = types.ModuleType('thing')", "thing.x",
         "`thing`, a module that can't be imported"),
    ],
)  # fmt: skip
def test_what_cannot_be_captured_is_refused(
    kernel: Kernel, cell: str, body: str, said: str
) -> None:
    kernel.run(HEAD)
    kernel.run(cell)
    kernel.run(USES.format(body=body))
    assert said in kernel.run("main.run()", ok=False).error


def test_a_global_that_a_step_assigns_is_refused(kernel: Kernel) -> None:
    kernel.run(HEAD)
    kernel.run("count = 0\ndef more():\n    global count\n    count += 1")
    kernel.run(USES.format(body="more()"))
    said = kernel.run("main.run()", ok=False).error
    assert "the global `count` (through `more`), and assigns it" in said


@pytest.mark.parametrize(
    ("cell", "body"),
    [
        ("thing = lambda n: n + 1", "thing(n)"),
        ("from pathlib import Path\nthing = Path('a') / 'b'", "len(thing.parts)"),
        ("import re\nthing = re.compile('a+', re.I)", "len(thing.match('AA')[0])"),
        ("import logging\nthing = logging.getLogger('x')", "len(thing.name + 'y')"),
        ("from math import *\nthing = 1", "int(floor(1.5)) + thing"),
        ("from operator import itemgetter as thing", "thing(1)([1, 2])"),
        ("import os.path\nthing = 1", "len(os.path.join('', 'ab'))"),
        ("import xml.dom.minidom\nthing = 1", "len(xml.dom.minidom.__name__) - 13"),
        ("import functools\n@functools.cache\ndef thing(n): return n + 1", "thing(n)"),
        ("def mark(f):\n    def inner(n):\n        return f(n) + 1\n    return inner\n"
         "@mark\ndef thing(n): return n", "thing(n)"),
        ("from typing import NamedTuple\nclass T(NamedTuple):\n    a: int\n"
         "def thing(n): return T(n + 1)", "thing(n).a"),
        ("from collections import namedtuple\nT = namedtuple('T', 'a')\ndef thing(n: 'T'):"
         " return T(n + 1)", "thing(n).a"),
        ("import enum\nclass E(enum.Enum):\n    A = 2\nthing = 1", "E.A.value * thing"),
        ("Numbers = list[int]\ndef thing(n: Numbers) -> Numbers: return [n, n]", "len(thing(n))"),
        ("class Base:\n    def make(self): return Child()\nclass Child(Base):\n    size = 2\n"
         "thing = 1", "Base().make().size"),
        ("%time thing = 2\n!true", "thing"),
        ("if True:\n    def thing(n):\n        return len('''\nx''')", "thing(n)"),
        ("from __future__ import annotations\nimport decimal\n"
         "def thing(n: decimal.Decimal) -> Nowhere: return n + 1", "thing(n)"),
    ],
)  # fmt: skip
def test_what_can_be_captured(kernel: Kernel, cell: str, body: str) -> None:
    kernel.run(HEAD)
    kernel.run(cell)
    kernel.run(USES.format(body=body))
    assert kernel.run("print(main.run().result)").text == "2\n"


def test_a_step_in_a_timed_cell(kernel: Kernel) -> None:
    kernel.run(HEAD)
    kernel.run(HELPERS)
    kernel.run("%%time\n" + dedent(STEPS))
    kernel.run(PIPELINE)
    assert kernel.run(RUN).text == "succeeded load=succeeded score=succeeded\n"


def test_modules_of_the_project(kernel: Kernel, project: Path) -> None:
    (project / "lib.py").write_text("def double(x):\n    return 2 * x\n")
    (project / "steps.py").write_text(
        "from mainspring import step\n@step\ndef first(n: int) -> int:\n    return n\n"
    )
    kernel.run(HEAD + "    from lib import double\n    from steps import first\n")
    kernel.run(USES.format(body="double(n)").replace("uses(n)", "uses(first(n))", 1))
    kernel.run("@pipeline\ndef main(n: int = 1):\n    return uses(first(n))")
    assert kernel.run("print(main.run().result)").text == "2\n"
    (project / "lib.py").write_text("def double(x):\n    return 3 * x\n")
    shown = kernel.run(RUN + "    print(run.result)").text
    assert shown == "succeeded first=reused uses=succeeded\n3\n"


def test_without_a_project(tmp_path: Path) -> None:
    with Kernel(tmp_path) as kernel:
        begun(kernel)
        said = kernel.run("main.run()", ok=False).error
        assert "no mainspring.toml in" in said
        assert "`import mainspring; mainspring.init()`" in said
        kernel.run("import mainspring; mainspring.init()")
        kernel.run("import mainspring; mainspring.init()")
        assert kernel.run(RUN).text == "succeeded load=succeeded score=succeeded\n"
    assert (tmp_path / "mainspring.toml").read_text().startswith("[project]\nname = ")
    assert ".mainspring/" in (tmp_path / ".gitignore").read_text().splitlines()


def test_a_file_with_the_reserved_name(kernel: Kernel, project: Path) -> None:
    (project / "__notebook__").mkdir()
    (project / "__notebook__" / "load.py").write_text("")
    said = begun(kernel).run("main.run()", ok=False).error
    assert "__notebook__/load.py: has a name that is reserved" in said
