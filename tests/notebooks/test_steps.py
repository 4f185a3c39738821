"""Whole notebooks as steps, in the real program and in real kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.notebooks.files import edit, mainspring, status, write

PARAMETERS = "c = 1.0\nrows: int = 3\nlabel = 'x'"
FIRST = """
    import random
    import mainspring
    import numpy as np
    from lib import double

    text = open("data.csv").read()
    print(np.random.rand(), random.random(), double(c), rows)
"""
LAST = """
    def report(rows):
        return c * rows

    mainspring.log(loss=c)
    mainspring.output(accuracy=report(rows), array=np.arange(rows))
    np.arange(rows)
"""


@pytest.fixture
def notebook(project: Path) -> Path:
    (project / "lib.py").write_text("def double(x):\n    return 2 * x\n")
    (project / "data.csv").write_text("a,b\n")
    return write(project / "analysis.ipynb", FIRST, LAST, parameters=PARAMETERS)


def executed(path: Path) -> dict[str, Any]:
    return {cell["id"]: cell for cell in json.loads(path.read_text("utf-8"))["cells"]}


def test_it_is_executed_and_reused(notebook: Path, project: Path) -> None:
    before = notebook.read_bytes()
    words = ("notebook", "analysis.ipynb", "-p", "c=0.5", "-o", "out.ipynb", "--json")
    assert status(mainspring(project, *words)) == "succeeded"
    assert notebook.read_bytes() == before
    cells = executed(project / "out.ipynb")
    assert cells["parameters"]["source"] == [
        "# Parameters\n",
        "c = 0.5\n",
        "rows = 3\n",
        "label = 'x'",
    ]
    assert cells["parameters"]["metadata"]["tags"] == ["injected-parameters"]
    assert list(cells)[:3] == ["title", "cell-0", "parameters"]
    printed = cells["cell-1"]["outputs"][0]["text"][0].split()
    assert printed[2:] == ["1.0", "3"]
    assert cells["cell-2"]["outputs"][0]["data"]["text/plain"] == ["array([0, 1, 2])"]
    shown = mainspring(project, "show", "latest", "--json").json
    assert {each["output"] for each in shown["artifacts"]} == {"notebook", "accuracy", "array"}
    assert [(each["name"], each["last"]) for each in shown["metrics"]] == [("loss", 0.5)]
    assert (
        json.loads(mainspring(project, "artifacts", "open", "latest", "analysis.accuracy").out)
        == 1.5
    )
    assert " ".join(printed) in mainspring(project, "logs", "latest", "analysis").out
    # Seeded: the same numbers come again.
    assert status(mainspring(project, *words[:-1], "--force", "--json")) == "succeeded"
    assert executed(project / "out.ipynb")["cell-1"]["outputs"][0]["text"][0].split() == printed
    (project / "out.ipynb").unlink()
    assert status(mainspring(project, *words)) == "reused"
    assert executed(project / "out.ipynb") == cells


def test_what_counts_as_a_change(notebook: Path, project: Path) -> None:
    words = ("notebook", "analysis.ipynb", "--json")
    assert status(mainspring(project, *words)) == "succeeded"
    edit(notebook, title="# Another title")
    text = json.loads(notebook.read_text())
    text["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "old"}]
    text["cells"][2]["execution_count"] = 7
    notebook.write_text(json.dumps(text))
    assert status(mainspring(project, *words)) == "reused"
    (project / "data.csv").write_text("a,b,c\n")
    assert status(mainspring(project, *words)) == "succeeded"
    assert "project file data.csv changed" in mainspring(project, "why", "latest", "analysis").out
    (project / "lib.py").write_text("def double(x):\n    return x + x\n")
    assert status(mainspring(project, *words)) == "succeeded"
    assert "double changed, lib.py:1" in mainspring(project, "why", "latest", "analysis").out
    edit(notebook, cell_2=LAST.replace("    ", "").replace("return", "    return") + "\n# more")
    assert status(mainspring(project, *words)) == "succeeded"
    said = mainspring(project, "why", "latest", "analysis").out
    assert "cell 3 changed, analysis.ipynb" in said


def test_an_error_names_the_cell(notebook: Path, project: Path) -> None:
    edit(notebook, cell_2="def fails():\n    return 1 / 0\n\nfails()")
    done = mainspring(project, "notebook", "analysis.ipynb", "-o", "out.ipynb", code=1)
    assert "ZeroDivisionError: division by zero" in done.err
    assert "at: analysis.ipynb: cell 3, line 2" in done.err
    shown = mainspring(project, "show", "latest").out
    assert "cell 3, line 4" in shown
    assert "----> 2     return 1 / 0" in shown
    cells = executed(project / "out.ipynb")
    assert cells["cell-2"]["outputs"][0]["ename"] == "ZeroDivisionError"


def test_in_a_folder_and_from_another(project: Path) -> None:
    write(project / "sub" / "deep.ipynb", "import helper\nhelper.H")
    (project / "sub" / "helper.py").write_text("H = 1\n")
    inside = mainspring(project / "sub", "notebook", "deep.ipynb", "--json")
    assert status(inside) == "succeeded"
    assert (
        status(mainspring(project.parent, "notebook", "demo/sub/deep.ipynb", "--json")) == "reused"
    )


PIPELINE = """
import numpy as np
import pandas as pd
from mainspring import notebook, pipeline, step

@step
def numbers(n: int) -> np.ndarray:
    return np.arange(n)

@step
def frame(n: int) -> pd.DataFrame:
    return pd.DataFrame({"a": range(n)})

@step
def total(array: np.ndarray, part: float) -> float:
    return float(array.sum() + part)

deep = notebook("sub/deep.ipynb", outputs={"part": float}, retries=1)

@pipeline
def main(n: int = 3):
    done = deep(data=numbers(n), table=frame(n), k=n)
    return total(done.array, done.part), deep.map([1, 2])
"""


def test_in_a_pipeline(project: Path) -> None:
    (project / "flow.py").write_text(PIPELINE)
    write(
        project / "sub" / "deep.ipynb",
        "from mainspring import context, output\nprint(type(data).__name__, type(table).__name__)",
        "output(array=__import__('numpy').array(data) * k, part=k / 2)",
        parameters="k = 1\ndata = [1]\ntable = None",
    )
    done = mainspring(project, "run", "flow:main", "--json").json
    assert done["counts"] == {"succeeded": 7}
    run = done["run"]["id"]
    assert json.loads(mainspring(project, "artifacts", "open", run, "total").out) == 10.5
    assert "ndarray DataFrame" in mainspring(project, "logs", run, "deep").out
    assert mainspring(project, "run", "flow:main", "--json").json["counts"] == {"reused": 7}
    (project / "flow.yaml").write_text(
        "pipeline: y\n"
        "steps:\n"
        "  first: { uses: sub/deep.ipynb, with: { k: 4 } }\n"
        "  second: { uses: sub/deep.ipynb, with: { data: '${{ steps.first.array }}' } }\n"
        "outputs: { x: '${{ steps.second.array }}' }\n"
    )
    done = mainspring(project, "run", "flow.yaml", "--json").json
    assert done["counts"] == {"succeeded": 2}
    shown = mainspring(project, "artifacts", "open", done["run"]["id"], "second.array").out
    assert "[4]" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-p", "c=hello"), "parameter 'c' is 'hello', which is no float"),
        (("-p", "d=1"), "analysis has no parameter 'd'"),
        (("-o", "analysis.ipynb"), "analysis.ipynb is the notebook itself"),
        (("-o", "no/out.ipynb"), "there is no directory no"),
    ],
)
def test_wrong_use(notebook: Path, project: Path, words: tuple[str, ...], said: str) -> None:
    assert said in mainspring(project, "notebook", "analysis.ipynb", *words, code=2).err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "bad.ipynb: this is no notebook"),
        ('{"nbformat": 3, "worksheets": []}', "bad.ipynb: the notebook has the format 3"),
        (
            '{"nbformat": 4, "cells": [], "metadata": {"kernelspec": {"language": "R"}}}',
            "bad.ipynb: the notebook is written in r, not in Python",
        ),
    ],
)
def test_what_is_no_notebook(project: Path, text: str, said: str) -> None:
    (project / "bad.ipynb").write_text(text)
    assert said in mainspring(project, "notebook", "bad.ipynb", code=2).err


def test_an_output_that_is_not_handed_out(project: Path) -> None:
    write(project / "a.ipynb", "import mainspring\nif False:\n    mainspring.output(x=1)")
    assert (
        "did not hand out its output 'x'" in mainspring(project, "notebook", "a.ipynb", code=1).err
    )
    write(project / "a.ipynb", "import mainspring\nmainspring.output(**{'y': 1})")
    assert (
        "the notebook has no output 'y'" in mainspring(project, "notebook", "a.ipynb", code=1).err
    )
    write(project / "a.ipynb", "import mainspring\nmainspring.output(notebook=1)")
    said = mainspring(project, "notebook", "a.ipynb", code=2).err
    assert "the output `notebook` is the executed notebook itself" in said


def test_a_kernel_that_dies(project: Path) -> None:
    write(project / "a.ipynb", "x = 1", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    said = mainspring(project, "notebook", "a.ipynb", code=1).err
    assert "the kernel died" in said


def test_a_read_outside_is_seen(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("x")
    write(project / "a.ipynb", f"open({str(outside)!r}).read()")
    for _ in range(2):
        assert status(mainspring(project, "notebook", "a.ipynb", "--json")) == "succeeded"
    assert "outside.txt" in mainspring(project, "why", "latest", "a").out


def test_writing_into_the_source_is_refused(project: Path) -> None:
    write(project / "a.ipynb", "open('new.txt', 'w')")
    assert (
        "must not write into its source" in mainspring(project, "notebook", "a.ipynb", code=1).err
    )


def test_no_profile_of_the_user_is_run(project: Path, tmp_path: Path, monkeypatch: Any) -> None:
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "a.py").write_text("import builtins\nbuiltins.SECRET = 1\n")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    write(project / "a.ipynb", "SECRET")
    assert "NameError" in mainspring(project, "notebook", "a.ipynb", code=1).err
