"""`pipeline.run()` from a script, as a user has it: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from tests.app.flows import pipeline, step

from mainspring.app.api import importable, open_project
from mainspring.app.project import Project
from mainspring.records.errors import ProjectError
from mainspring.records.runs import Run
from mainspring.records.spec import GroupNode
from mainspring.records.stores import RunFilter

SOURCE = Path(__file__).parents[2] / "src"

HEAD = """\
import json
from dataclasses import dataclass
from typing import NamedTuple
from mainspring import MainspringError, log, pipeline, step

@dataclass
class Scores:
    accuracy: float
    label: str

class Pair(NamedTuple):
    first: int
    second: int

@step
def scores(x: int) -> Scores:
    log(loss=x / 2)
    return Scores(x / 2, "half")

@step
def show(s: Scores) -> str:
    return f"{type(s).__name__} {s.accuracy}"

@step
def inc(x: int) -> int:
    return x + 1

@step
def bad(x: int) -> int:
    raise ValueError(f"unlucky {x}")

@step(gpus=99)
def huge() -> int:
    return 1
"""


def script(root: Path, text: str, name: str = "train.py", **env: str) -> tuple[str, str, int]:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(HEAD + textwrap.dedent(text), "utf-8")
    found = {k: v for k, v in os.environ.items() if not k.startswith("MAINSPRING")}
    done = subprocess.run(
        [sys.executable, name], cwd=root, capture_output=True, text=True, check=False, timeout=100,
        env={**found, "PYTHONPATH": str(SOURCE), **env},
    )  # fmt: skip
    return done.stdout, done.stderr, done.returncode


def runs_of(root: Path) -> list[Run]:
    opened = Project(root)
    found = opened.store.read.runs(RunFilter())
    opened.close()
    return found


def test_results_have_the_form_that_the_pipeline_returned(project: Path) -> None:
    out, err, code = script(project, """
        @pipeline
        def single(x: int = 3):
            return show(scores(x))

        @pipeline
        def record(x: int = 3):
            return scores(x)

        @pipeline
        def both(x: int = 3):
            return inc(x), show(scores(x))

        @pipeline
        def table(x: int = 3):
            return {"one": inc(x), "two": scores(x).label}

        @pipeline
        def named(x: int = 3):
            return Pair(inc(x), inc(inc(x)))

        @pipeline
        def nothing(x: int = 3):
            inc(x)

        if __name__ == "__main__":
            runs = [p.run() for p in (single, record, both, table, named, nothing)]
            for run in runs:
                print(repr(run.result))
            assert type(runs[1].result) is Scores
            print(runs[0].metrics, runs[0].parameters, runs[0].status.value)
            print(runs[2].outputs, runs[0]["scores"].label, runs[0].task("show").value)
            print(single.run(x=8).result)
        """)  # fmt: skip
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "'Scores 1.5'",
        "Scores(accuracy=1.5, label='half')",
        "(4, 'Scores 1.5')",
        "{'one': 4, 'two': 'half'}",
        "Pair(first=4, second=5)",
        "{}",
        "{'scores/loss': 1.5} {'x': 3} succeeded",
        "{'0': 4, '1': 'Scores 1.5'} half Scores 1.5",
        "Scores 4.0",
    ]


def test_what_failed_is_named_with_its_line(project: Path) -> None:
    out, err, code = script(project, """
        @pipeline
        def main():
            return inc.map(bad.map([7, 8]))

        if __name__ == "__main__":
            run = main.run()
            try:
                run.result
            except MainspringError as error:
                print(type(error).__name__, error.where, error.what.replace(run.id, "ID"))
            print(run.task("inc").status.value, run.tasks["bad[1]"].error.kind)
        """)  # fmt: skip
    assert (code, err) == (0, "")
    line = next(n for n, text in enumerate(HEAD.splitlines(), 1) if "raise ValueError" in text)
    assert out.splitlines() == [
        f"RunFailedError train.py:{line} run ID failed: bad[0]: ValueError: unlucky 7",
        "blocked ValueError",
    ]


def test_a_run_that_a_worker_would_start_is_refused(project: Path) -> None:
    out, err, code = script(project, """
        @pipeline
        def main():
            return inc(1)

        run = main.run()
        print(run.status.value, run.task("inc").error.message, run.task("inc").error.hint)
        """)  # fmt: skip
    assert (code, err) == (0, "")
    assert out.startswith("failed ")
    assert '__name__ == "__main__"' in out


def test_more_than_the_machine_has_is_refused_before_the_start(project: Path) -> None:
    out, _, code = script(project, """
        @pipeline
        def main():
            return huge()

        if __name__ == "__main__":
            try:
                main.run()
            except MainspringError as error:
                print(error.what)
        """)  # fmt: skip
    assert (code, "asks for gpus=99" in out) == (0, True)
    assert runs_of(project) == []


def test_a_script_in_a_folder_of_its_own(project: Path) -> None:
    out, err, code = script(project, """
        @pipeline
        def main(x: int = 1):
            return show(scores(x))

        if __name__ == "__main__":
            print(json.dumps(main.run().result))
        """, "scripts/go.py")  # fmt: skip
    assert (code, err) == (0, "")
    assert json.loads(out) == "Scores 0.5"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("main.run(y=3)", "y"),
        ("main.run(x='many')", "parameter 'x' is 'many', which is no int"),
    ],
)
def test_wrong_parameters_are_said_and_nothing_is_recorded(
    project: Path, call: str, text: str
) -> None:
    out, _, code = script(project, f"""
        @pipeline
        def main(x: int = 1):
            return inc(x)

        if __name__ == "__main__":
            try:
                {call}
            except MainspringError as error:
                print(error)
        """)  # fmt: skip
    assert (code, text in out) == (0, True)
    assert runs_of(project) == []


def test_outside_of_a_project(tmp_path: Path) -> None:
    out, _, code = script(tmp_path, """
        @pipeline
        def main():
            return inc(1)

        if __name__ == "__main__":
            try:
                main.run()
            except MainspringError as error:
                print(error)
        """)  # fmt: skip
    assert code == 0
    assert "no mainspring.toml in" in out
    assert "mainspring init" in out


def test_what_is_typed_at_a_prompt(project: Path) -> None:
    text = """
from mainspring import MainspringError, pipeline, step

@step
def one() -> int:
    return 1

@pipeline
def main():
    return one()

try:
    print(main.run().result)
except MainspringError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=project, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    if sys.version_info >= (3, 13):  # which keeps the source
        assert done.stdout == "1\n", done.stderr
    else:
        assert "step `one` needs the source of the function `one`" in done.stdout, done.stderr
        assert "typed at a prompt" in done.stdout


def test_names_of_the_started_script_become_those_of_its_module(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main: Any = sys.modules["__main__"]
    monkeypatch.setattr(main, "__spec__", None, raising=False)
    monkeypatch.setattr(main, "__file__", str(project / "go.py"), raising=False)
    inner = pipeline(step("a", uses="__main__:a", bundle="__main__:Scores"), bundle="__main__:Out")
    spec = pipeline(step("b", uses="lib:b", bundle="tuple"), GroupNode(name="g", pipeline=inner))
    kept, group = importable(spec, project).steps
    assert kept == spec.steps[0]
    assert isinstance(group, GroupNode)
    assert group.pipeline == pipeline(step("a", uses="go:a", bundle="go:Scores"), bundle="go:Out")
    with pytest.raises(ProjectError, match="lies outside of the project"):
        importable(spec, project / "elsewhere")


def test_a_project_is_opened_once(project: Path) -> None:
    inside = project / "deep" / "down"
    inside.mkdir(parents=True)
    assert open_project(inside) is open_project(project)
    open_project(project).close()
