"""A project with a run of every kind of task and value, and its capsule, made once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from tests.cli.conftest import call

from mainspring.app.capsule.writing import export
from mainspring.app.project import Project
from mainspring.records.runs import Run
from mainspring.storage import signing

SETTINGS = '[project]\nname = "shared"\npipelines = ["flow:main"]\n'

FLOW = '''\
from pathlib import Path

import numpy as np

from mainspring import checkpoint, command, log, pipeline, step, table, when, workdir


@step
def numbers(n: int) -> list[int]:
    return list(range(n))


@step
def double(x: int) -> int:
    log(x=float(x), odd=float("nan") if x % 2 else float("inf"))
    return 2 * x


@step
def total(xs: list[int]) -> int:
    table("all", [{"x": x} for x in xs])
    return sum(xs)


@step
def matrix(n: int) -> np.ndarray:
    return np.arange(n * 1000.0)


@step
def files(n: int) -> Path:
    root = workdir() / "report"
    root.mkdir()
    (root / "a.txt").write_text("a" * n)
    (root / "inner").mkdir()
    (root / "inner" / "b.txt").write_text("b")
    return root


@pipeline
def main(n: int = 3, mode: str = "plain"):
    """Double some numbers and add them up."""
    xs = numbers(n)
    doubled = double.map(xs)
    found = total(doubled)
    checkpoint("enough", found >= 2, kind="data")
    with when(mode == "rich"):
        files(n)
    return {"total": found, "matrix": matrix(n), "files": files(n), "words": words(xs=xs)}


words = command("wc -c < {inputs.xs} > {outputs.count}", outputs={"count": "count.txt"}, shell=True)
'''


class World(NamedTuple):
    """The project, its run, the capsule of it, and the key that it is signed with."""

    project: Project
    run: Run
    capsule: Path
    key: Any


def make_project(root: Path, flow: str = FLOW) -> Path:
    root.mkdir()
    (root / "mainspring.toml").write_text(SETTINGS)
    (root / "flow.py").write_text(flow)
    (root / "notes and more.txt").write_text("a file with spaces in its name\n")
    (root / "Makefile").write_text("one\n")
    (root / "makefile").write_text("two, on file systems that tell them apart\n")
    return root


def run_in(root: Path, *arguments: str) -> dict[str, Any]:
    """Run the pipeline in a process of its own; what it came to."""
    done = call(root, "run", "-q", "--json", *arguments)
    assert done.code == 0, done.err
    return json.loads(done.out)["run"]


def make_world(tmp: Path) -> World:
    root = make_project(tmp / "project")
    record = run_in(root)
    project = Project(root)
    run = project.store.read.run(record["id"])
    key = signing.new_key()
    capsule = tmp / "x.crate.zip"
    export(project, run, capsule, key=key)
    return World(project, run, capsule, key)
