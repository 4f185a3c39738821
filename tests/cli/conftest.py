"""Real projects, and the real program in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator
from tests.e2e.place import Result

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"
SOURCE = Path(__file__).parents[2] / "src"

SETTINGS = """\
[project]
name = "demo"
pipelines = ["flow:main", "flow:slow", "flow:tuned", "tiny.yaml"]
"""

FLOW = """\
import time

import mainspring
from mainspring import checkpoint, pipeline, step


@step
def numbers(n: int) -> list[int]:
    return list(range(n))


@step
def double(x: int) -> int:
    print("doubling", x)
    if x == 13:
        raise ValueError("unlucky thirteen")
    return 2 * x


@step
def total(xs: list[int]) -> int:
    print("adding up")
    return sum(xs)


@step
def nap(seconds: float, started: str) -> str:
    print("napping", flush=True)
    open(started, "w").close()
    time.sleep(seconds)
    return "rested"


@pipeline
def prep(n: int):
    return numbers(n)


@pipeline
def main(n: int = 3):
    sums = total(double.map(prep(n)))
    checkpoint("enough", sums >= 0, kind="data")
    return sums


@pipeline
def slow(seconds: float = 60.0, started: str = ""):
    return nap(seconds, started)


@pipeline
def tuned(n: int = 2):
    return total(numbers(n))
"""

TINY = """\
pipeline: tiny
parameters: { n: 2 }
steps:
  numbers: { uses: "flow:numbers", with: { n: "${{ parameters.n }}" } }
"""


Cli = Callable[..., Result]


def environment(**more: str) -> dict[str, str]:
    """What the program is started with: nothing of this session's own colours and settings."""
    found = {
        k: v for k, v in os.environ.items() if not k.startswith(("MAINSPRING_", "_MAINSPRING"))
    }
    for name in ("NO_COLOR", "FORCE_COLOR"):
        found.pop(name, None)
    path = [str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**found, "PYTHONPATH": os.pathsep.join(path), "TERM": "xterm-256color", **more}


def call(root: Path, *arguments: str, env: dict[str, str] | None = None) -> Result:
    """Run the program in `root` to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "mainspring", *arguments],
        cwd=root, env=environment(**(env or {})), capture_output=True, text=True, check=False,
        timeout=100,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


def make_project(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "mainspring.toml").write_text(SETTINGS, "utf-8")
    (root / "flow.py").write_text(FLOW, "utf-8")
    (root / "tiny.yaml").write_text(TINY, "utf-8")
    return root


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """A project of this test's own."""
    return make_project(tmp_path / "demo")


@pytest.fixture
def cli(flow: Path) -> Cli:
    """Runs the program in `flow`."""
    return lambda *arguments, **named: call(flow, *arguments, **named)


class Worked(NamedTuple):
    """A project with a run that computed, one that reused, and one that failed. Only to be read."""

    root: Path
    computed: str
    reused: str
    failed: str

    def __call__(self, *arguments: str, **named: Any) -> Result:
        return call(self.root, *arguments, **named)


@pytest.fixture(scope="session")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Worked:
    root = make_project(tmp_path_factory.mktemp("worked") / "demo")
    ids: list[str] = []
    for arguments in ((), (), ("-p", "n=15")):
        done = call(root, "run", "--json", *arguments)
        ids.append(done.json["run"]["id"])
    return Worked(root, *ids)


@pytest.fixture(scope="session")
def valid() -> Callable[[Any], Any]:
    """Checks an object against the published schema of its format; returns it."""

    def check(value: Any) -> Any:
        name = value["format"].removeprefix("mainspring.").partition("/")[0]
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(value)
        return value

    return check
