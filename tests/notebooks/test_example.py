"""examples/notebook: what is committed there is what comes out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.notebooks.files import mainspring, status
from tests.notebooks.kernel import Kernel
from tests.walkthrough import ROOT

EXAMPLE = ROOT / "examples" / "notebook"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    pytest.importorskip("sklearn", reason="needs the extra `ml`")
    ignored = shutil.ignore_patterns(".mainspring", "__pycache__", ".gitignore")
    return Path(shutil.copytree(EXAMPLE, tmp_path / "notebook", ignore=ignored))


def cells(path: Path) -> Iterator[dict[str, Any]]:
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            yield cell


def text_of(output: dict[str, Any]) -> str:
    found = output.get("text") or output["data"]["text/plain"]
    return found if isinstance(found, str) else "".join(found)


# What names no run and says no time is the same each time.
SAME = {"pipeline", "run", "again", "edited"}


@pytest.mark.timeout(300)
def test_the_notebook(example: Path) -> None:
    committed = list(cells(example / "digits.ipynb"))
    assert [cell["execution_count"] for cell in committed] == list(range(1, len(committed) + 1))
    with Kernel(example) as kernel:
        for cell in committed:
            shown = kernel.run("".join(cell["source"]))
            old = [one for one in cell["outputs"] if one["output_type"] != "display_data"]
            if cell["id"] not in SAME:
                continue
            printed = "".join(text_of(one) for one in old if one["output_type"] == "stream")
            assert shown.text == printed, cell["id"]
            results = [one["data"] for one in old if one["output_type"] == "execute_result"]
            for result in results:
                new = shown.displays[-1]
                assert new["text/plain"] == text_of({"data": result})
                if cell["id"] == "pipeline":  # its picture too
                    assert new["text/html"] == "".join(result["text/html"])
        plan = kernel.run("{p: t.reason for p, t in digits.plan(c=0.1).tasks.items()}").displays
        assert "same code, inputs and parameters" in plan[0]["text/plain"]


def test_what_is_committed_names_no_machine() -> None:
    text = (EXAMPLE / "digits.ipynb").read_text("utf-8")
    assert len(text) < 30_000
    assert "/tmp" not in text
    assert Path.home().name not in text.split("/")
    assert '"language_info": {\n   "name": "python"\n  }' in text


@pytest.mark.timeout(300)
def test_the_report(example: Path) -> None:
    words = ("notebook", "report.ipynb", "-p", "digit=8", "-o", "executed.ipynb", "--json")
    assert status(mainspring(example, *words)) == "succeeded"
    printed = [text_of(cell["outputs"][0]) for cell in cells(example / "executed.ipynb")
               if cell["id"] == "mean"]  # fmt: skip
    assert len(printed[0].splitlines()) == 8
    count = mainspring(example, "artifacts", "open", "latest", "report.count").out
    assert json.loads(count) == 174
    assert status(mainspring(example, *words)) == "reused"


@pytest.mark.timeout(300)
def test_the_marimo_notebook(example: Path) -> None:
    pytest.importorskip("marimo")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    for expected in ("succeeded", "reused"):
        done = subprocess.run(
            [sys.executable, "digits_marimo.py"], cwd=example, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        states = " ".join(f"{path} {expected}" for path in ("load", "train", "accuracy"))
        assert done.stdout == f"accuracy 0.903\n{states}\n"
    # As the marimo server runs it, cell by cell, with the same results.
    done = subprocess.run(
        [sys.executable, "-m", "marimo", "export", "html", "digits_marimo.py", "-o", "out.html"],
        cwd=example, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (example / "out.html").read_text("utf-8")
    assert "accuracy (step, reused)" in page
    assert "pipeline digits" in page
