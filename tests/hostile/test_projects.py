"""Small random projects, with odd names and values, in both forms: planned, run, run again."""

from __future__ import annotations

import io
import json
import os
import shutil
import string
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.e2e.place import Place

from mainspring.app.project import Project
from mainspring.cli.program import execute

STEPS = """
    @step
    def same(x: Any) -> Any:
        return x

    @step
    def size(x: Any) -> int:
        return len(repr(x))

    @step
    def picky(x: int) -> list[int]:
        if x < 0:
            raise ValueError(f"{x} \\x1b[31m")
        return list(range(min(x, 5)))
"""
plain_names = st.text(string.ascii_lowercase, min_size=1, max_size=4)
odd_names = st.sampled_from(
    [
        "class",
        "__class__",
        "\u00e9",
        "e\u0301",
        "\uff53",
        "\u202eabc",
        "a/b",
        "..",
        "a.b",
        "a[0]",
        "result",
        "🚀",
        "x" * 101,
        "steps",
        "a\nb",
        "--help",
        "",
        "items",
        "字",
        "None",
    ]
)
names = plain_names | plain_names | odd_names
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text(
    "${ }'\"ab:-#\n\x1b\x85\u2028", max_size=8
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
words = [
    "steps.{0}",
    "parameters.{0}",
    "steps.{0}.x",
    "len(steps.{0})",
    "steps.{0}[0]",
    "1 / 0",
    "(",
]
expressions = st.tuples(st.sampled_from(words), names | st.just("?") | st.just("?")).map(
    lambda found: "${{ " + found[0].format(found[1]) + " }}"
)


class Node(NamedTuple):
    name: str
    uses: str
    given: Any


nodes = st.builds(
    Node,
    names,
    st.sampled_from(["same", "same", "size", "size", "picky", "nothing"]),
    values | expressions,
)


class Sketch(NamedTuple):
    name: str
    parameters: dict[str, Any]
    nodes: list[Node]
    output: Any


def _linked(sketch: Sketch) -> Sketch:
    """With each expression about a step that stands before it."""
    found: list[Node] = []
    for node in sketch.nodes:
        given = node.given
        if found and isinstance(given, str) and given.startswith("${{"):
            given = given.replace("?", found[-1].name)
        found.append(node._replace(given=given))
    output = sketch.output and sketch.output.replace("?", found[-1].name)
    return sketch._replace(nodes=found, output=output)


sketches = st.builds(
    Sketch,
    names | st.just("main"),
    st.dictionaries(names, values, max_size=2),
    st.lists(nodes, min_size=1, max_size=4),
    st.none() | expressions,
).map(_linked)


def as_yaml(sketch: Sketch) -> str:
    made: dict[str, Any] = {
        "pipeline": sketch.name,
        "parameters": {k: {"type": "any", "default": v} for k, v in sketch.parameters.items()},
        "steps": {n.name: {"uses": f"flow:{n.uses}", "with": {"x": n.given}} for n in sketch.nodes},
    }
    if sketch.output is not None:
        made["outputs"] = {"result": sketch.output}
    return yaml.safe_dump(made, allow_unicode=True)


def as_python(sketch: Sketch) -> str:
    """Calls, each of the one before it where it has an expression."""
    lines = ["", "@pipeline", f"def main(p: Any = {next(iter(sketch.parameters.values()), 1)!r}):"]
    last = "p"
    for number, node in enumerate(sketch.nodes):
        isref = isinstance(node.given, str) and node.given.startswith("${{")
        given = last if isref else repr(node.given)
        lines.append(f"    v{number} = {node.uses}.options(name={node.name!r})({given})")
        last = f"v{number}"
    return (
        "\n".join([*lines, f"    return {last}"])
        .replace("nan", "float('nan')")
        .replace("inf", "float('inf')")
    )


class Answer(NamedTuple):
    code: int
    out: str
    err: str


def call(*words: str) -> Answer:
    """The program in this process, with nothing of the project imported before."""
    for name in ("flow", "made"):
        sys.modules.pop(name, None)
    path = list(sys.path)
    out, err = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = execute(words)
    finally:
        sys.path[:] = path
    return Answer(code, out.getvalue(), err.getvalue())


def check(done: Answer) -> Any:
    """What must be so whatever was asked for; returns what was printed as JSON."""
    assert done.code in (0, 1, 2), done
    assert "Traceback" not in done.err, done.err
    assert "bug in Mainspring" not in done.err, done.err
    if done.code == 2:
        told = json.loads(done.err)["error"]
        assert told["what"] and told["exit_code"] == 2
        return None
    return json.loads(done.out)


def try_out(place: Place, target: str) -> None:
    planned = check(call("plan", target, "--json"))
    ran = check(call("run", target, "--json"))
    assert (planned is None) == (ran is None)
    if ran is None:
        return
    project = Project(place.root)
    assert project.store.integrity() == []
    project.close()
    again = check(call("run", target, "--json"))
    if ran["counts"].get("succeeded") and not ran["counts"].get("failed"):
        assert "succeeded" not in again["counts"], (ran["counts"], again["counts"])
    text = call("show", "latest")
    assert text.code == 0, text
    assert not any(sign in text.out for sign in "\x1b\0\u202e"), text.out


@pytest.fixture
def inside(place: Place) -> Iterator[Place]:
    place.flow(STEPS)
    before = Path.cwd()
    os.chdir(place.root)
    yield place
    os.chdir(before)


chosen = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
long = settings(chosen, max_examples=1_000)


def yaml_form(place: Place, sketch: Sketch) -> None:
    (place.root / "t.yaml").write_text(as_yaml(sketch), "utf-8")
    try_out(place, "t.yaml")


def python_form(place: Place, sketch: Sketch) -> None:
    text = "from typing import Any\nfrom mainspring import pipeline\nfrom flow import *\n"
    (place.root / "made.py").write_text(text + as_python(sketch), "utf-8")
    shutil.rmtree(place.root / "__pycache__", ignore_errors=True)
    try_out(place, "made:main")


@chosen
@given(sketches)
def test_pipeline_files(inside: Place, sketch: Sketch) -> None:
    yaml_form(inside, sketch)


@chosen
@given(sketches)
def test_modules(inside: Place, sketch: Sketch) -> None:
    python_form(inside, sketch)


@pytest.mark.chaos
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("form", [yaml_form, python_form])
def test_many_projects(inside: Place, form: Any) -> None:
    long(given(sketches)(lambda sketch: form(inside, sketch)))()
