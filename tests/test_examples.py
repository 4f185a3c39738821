"""The examples do what they show, from a fresh copy, in the real program."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.walkthrough import ROOT, Walkthrough, make_program

EXAMPLES = ROOT / "examples"
ALL = sorted(path.parent.name for path in EXAMPLES.glob("*/mainspring.toml"))


class Example:
    """A copy of an example, and the program to run in it."""

    def __init__(self, directory: Path, program: Path) -> None:
        self.directory = directory
        self._program = program

    def __call__(self, *arguments: str) -> str:
        environment = Walkthrough(self.directory, self._program).environment
        done = subprocess.run(
            [str(self._program), *arguments],
            cwd=self.directory, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *arguments: str) -> dict[str, Any]:
        return json.loads(self("run", "--json", *arguments))


@pytest.fixture
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Example:
    return copy_of(request.param, tmp_path)


def copy_of(name: str, directory: Path) -> Example:
    target = directory / name
    ignored = shutil.ignore_patterns(".mainspring", "__pycache__")
    shutil.copytree(EXAMPLES / name, target, ignore=ignored)
    return Example(target, make_program(directory / "bin"))


def test_every_example_is_known() -> None:
    assert ALL == ["cnn", "digits", "notebook", "words"]
    assert [name for name in ALL if not (EXAMPLES / name / "README.md").exists()] == []


@pytest.mark.parametrize("example", ["digits"], indirect=True)
def test_digits(example: Example) -> None:
    pytest.importorskip("sklearn")
    first = example.run()
    assert first["counts"] == {"succeeded": 8}
    card = json.loads(example("artifacts", "open", "latest", "package"))
    assert (card["features"], card["classes"]) == (64, list(range(10)))
    assert card["accuracy"] >= 0.95
    # The same graph from YAML has the same keys: only the two checkpoints are judged again.
    assert example.run("digits.yaml")["counts"] == {"succeeded": 2, "reused": 6}
    plan = json.loads(example("plan", "--json", "-p", "c=0.5"))
    choices = {task["path"]: task["choice"] for task in plan["tasks"]}
    assert (choices["split"], choices["train"], choices["evaluate"]) == ("reuse", "run", "unknown")


@pytest.mark.parametrize("example", ["digits"], indirect=True)
def test_digits_is_the_same_graph_in_both_forms(example: Example) -> None:
    pytest.importorskip("sklearn")
    plans = [json.loads(example("plan", "--json", *which)) for which in ([], ["digits.yaml"])]
    python, yaml = ([(task["path"], task["deps"]) for task in plan["tasks"]] for plan in plans)
    assert python == yaml


@pytest.mark.parametrize("example", ["words"], indirect=True)
def test_words(example: Example) -> None:
    first = example.run()
    assert first["run"]["status"] == "succeeded"
    table = example("artifacts", "get", "latest", "draw.table", "-o", "-")
    assert re.match(r"mainspring +\d+ #+\n", table)
    again = example.run()
    assert again["counts"].keys() == {"succeeded", "reused", "skipped"}
    # The other branch.
    example.run("-p", "length=1")
    assert example("artifacts", "open", "latest", "report").startswith("still ")


@pytest.mark.parametrize("example", ["words"], indirect=True)
def test_words_notices_a_text_that_was_edited(example: Example) -> None:
    example.run()
    text = example.directory / "texts" / "clock.txt"
    text.write_text(text.read_text("utf-8") + "Escapement, escapement, escapement!\n", "utf-8")
    example.run()
    assert "texts/clock.txt changed" in example("why", "latest", "corpus/read[0]")
    shown = example("artifacts", "open", "latest", "report")
    assert shown.startswith("escapement")


def test_what_the_demo_says_works(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    program = make_program(tmp_path / "bin")
    environment = {**Walkthrough(tmp_path, program).environment, "MAINSPRING": str(program)}
    demo = subprocess.run(
        ["bash", "examples/demo.sh"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert demo.returncode == 0, demo.stderr
    assert "8 succeeded" in demo.stdout
    assert "2 succeeded, 6 reused" in demo.stdout
    said = re.findall(rf"^ +{re.escape(str(program))} (.*?)(?:  .*)?$", demo.stdout, re.MULTILINE)
    assert len(said) == 5
    for line in said:
        done = subprocess.run(
            [str(program), *line.split()], cwd=tmp_path, env=environment, capture_output=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, line


@pytest.mark.system("torch")
@pytest.mark.parametrize("example", ["cnn"], indirect=True)
def test_cnn_is_exact(example: Example) -> None:
    assert example.run()["counts"] == {"succeeded": 4}
    found = json.loads(example("verify", "latest", "--here", "--json"))["verification"]
    assert (found["verdict"], found["counts"]["identical"]) == ("identical", 3)
