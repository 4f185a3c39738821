"""Notebooks written by tests, and the real program that executes them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.e2e.place import Result, environment


def write(path: Path, *cells: str, parameters: str | None = None, language: str = "python") -> Path:
    """Write a notebook with these code cells; `parameters` is the cell tagged so."""
    made: list[dict[str, Any]] = [
        {"cell_type": "markdown", "metadata": {}, "source": "# A title", "id": "title"}
    ]
    tagged = [] if parameters is None else [(parameters, ["parameters"])]
    for number, (text, tags) in enumerate([*tagged, *((cell, []) for cell in cells)]):
        made.append(
            {
                "cell_type": "code", "execution_count": None, "id": f"cell-{number}",
                "metadata": {"tags": tags} if tags else {}, "outputs": [],
                "source": dedent(text).strip(),
            }
        )  # fmt: skip
    notebook = {
        "cells": made, "nbformat": 4, "nbformat_minor": 5,
        "metadata": {"language_info": {"name": language}},
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), "utf-8")
    return path


def edit(path: Path, **changes: str) -> None:
    """Replace the source of cells, by id."""
    notebook = json.loads(path.read_text("utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = changes.get(cell["id"].replace("-", "_"), cell["source"])
    path.write_text(json.dumps(notebook), "utf-8")


def mainspring(project: Path, *arguments: str, code: int = 0) -> Result:
    """Run the program in a project; it has to end with the status `code`."""
    done = subprocess.run(
        [sys.executable, "-m", "mainspring", *arguments], cwd=project, text=True,
        env=environment({}), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


def status(done: Result) -> str:
    """Whether a run's only task was computed or reused."""
    [found] = done.json["counts"]
    return found
