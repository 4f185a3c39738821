"""`%load_ext mainspring` in a real kernel."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tests.notebooks.files import mainspring
from tests.notebooks.kernel import Kernel

CELLS = """
    %load_ext mainspring
    from mainspring import pipeline, step

    @step
    def load(n: int) -> list[int]:
        return list(range(n))

    @step
    def total(values: list[int]) -> int:
        return sum(values)

    @pipeline
    def main(n: int = 4):
        return total(load(n))
"""


@pytest.fixture
def loaded(project: Path):
    with Kernel(project) as kernel:
        kernel.run(CELLS)
        yield kernel


def test_a_run_is_shown_while_it_works(loaded: Kernel) -> None:
    shown = loaded.run("run = main.run()")
    [first] = shown.displays
    assert "main" in first["text/html"]
    last = shown.updates[-1]
    assert "✓ succeeded" in last["text/html"].replace("</span>", "")
    assert "  ✓ total succeeded" in last["text/plain"]


def test_values_show_themselves(loaded: Kernel) -> None:
    [pipeline] = loaded.run("main").displays
    assert pipeline["text/plain"] == "<pipeline main>"
    assert "<svg" in pipeline["text/html"]
    assert "<title>load (step): cell 1, line" in pipeline["text/html"]
    [plan] = loaded.run("main.plan(n=5)").displays
    assert plan["text/plain"] == "<plan of main: 1 run, 1 unknown>"
    assert "2 to run" in plan["text/html"] or "1 to run, 1 not known yet" in plan["text/html"]
    *_, run = loaded.run("main.run(n=5)").displays
    assert run["text/plain"].endswith(": succeeded>")
    assert "load (step, succeeded)" in run["text/html"]


def test_a_pipeline_that_is_wrong_shows_why(loaded: Kernel) -> None:
    loaded.run("@pipeline\ndef wrong():\n    return total(load('x'))")
    [shown] = loaded.run("wrong").displays
    assert "cell 2, line 3: " in shown["text/html"]


def test_the_magic(loaded: Kernel) -> None:
    [plan] = loaded.run("%mainspring plan main n=6").displays
    assert plan["text/plain"] == "<plan of main: 1 run, 1 unknown>"
    *_, run = loaded.run("%mainspring run main n=6").displays
    assert run["text/plain"].endswith(": succeeded>")
    assert "not computed before" in loaded.run("%mainspring why latest load").text
    assert "total" in loaded.run("%mainspring show latest").text
    for line, said in (
        ("plan nothing", "the notebook has no pipeline 'nothing'"),
        ("plan main n", "a parameter is NAME=VALUE, not 'n'"),
        ("shwo latest", "did you mean 'show'?"),
        ("plan main k=1", "main has no parameter 'k'"),
    ):
        assert said in loaded.run(f"%mainspring {line}", ok=False).error


def test_it_can_be_unloaded(loaded: Kernel) -> None:
    loaded.run("%unload_ext mainspring")
    shown = loaded.run("run = main.run()")
    assert shown.displays == []
    assert "UsageError" in loaded.run("%mainspring runs", ok=False).text


def test_a_failure_is_shown_in_the_cell(loaded: Kernel) -> None:
    loaded.run("@step\ndef bad(n: int) -> int:\n    return 1 // n")
    loaded.run("@pipeline\ndef fails(n: int = 0):\n    return bad(n)")
    html = loaded.run("run = fails.run()").updates[-1]["text/html"]
    assert "bad failed: cell 2, line 3: ZeroDivisionError" in html
    assert "return 1 // n" in html


def test_an_interrupt_pauses_the_run(loaded: Kernel, project: Path) -> None:
    begun, go = project / "begun", project / "go"
    loaded.run(f"""
        import time
        from pathlib import Path
        BEGUN, GO = Path({str(begun)!r}), Path({str(go)!r})

        @step(impure="ok")
        def waits(n: int) -> int:
            BEGUN.touch()
            while not GO.exists():
                time.sleep(0.02)
            return n

        @pipeline
        def slow(n: int = 1):
            return waits(n)
    """)
    sent = loaded.client.execute("run = slow.run()\nprint(run.status)")
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    loaded.interrupt()
    shown = loaded.follow(sent)
    assert shown.text == "paused\n", shown
    assert "%mainspring resume" in shown.updates[-1]["text/html"]
    assert loaded.run("print(1 + 1)").text == "2\n"
    go.touch()
    done = mainspring(project, "resume", "latest", "--json").json
    assert done["run"]["status"] == "succeeded"
    assert json.loads(mainspring(project, "artifacts", "open", "latest", "waits").out) == 1
