"""What a user can write wrongly: each mistake gets one message, and nothing is left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.e2e.place import HEAD, Place, polite

FLOW = """
    @step
    def double(x: int) -> int:
        return 2 * x

    @pipeline
    def main(n: int = 3, rate: float = 0.5, name: str = "a", sizes: list[int] = [1]):
        return double(n)
"""
YAML = """\
pipeline: tiny
steps:
  double: { uses: "flow:double", with: { x: 1 } }
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A good project; only what is never recorded happens in it."""
    made = Place(tmp_path_factory.mktemp("wrong") / "demo")
    made.flow(FLOW)
    return made


def test_no_project(tmp_path: Path) -> None:
    place = Place(tmp_path / "demo")
    (place.root / "mainspring.toml").unlink()
    polite(place("run"), 2, "mainspring.toml", "mainspring init")
    assert list(place.root.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[project\nname = 1", ["mainspring.toml", "line 1"]),
        ("", ["mainspring.toml", "[project]"]),
        ("[project]\nnmae = 'a'", ["mainspring.toml", "nmae", "'name'"]),
        ("[project]\nname = 5", ["mainspring.toml", "project.name", "`str`"]),
        ("[project]\nname = 'a'\npipelines = 'x'", ["project.pipelines"]),
        ("[project]\nname = 'a'\n[exekution]", ["exekution", "execution"]),
        ("[project]\nname = 'a'\n[execution]\nworkers = 0", ["execution.workers"]),
        ("[project]\nname = 'a'\n[execution]\nstart = 'fork'", ["execution.start"]),
        ("[project]\nname = 'a'\n[source]\nexclude = 3", ["source.exclude"]),
        ("project = 3", ["mainspring.toml", "project"]),
        ("[project]\nname = 'a'", ["no pipeline", "pipelines ="]),
        ("[project]\nname = 'a'\npipelines = ['flow']", ["'flow'"]),
        ("[project]\nname = 'a'\npipelines = ['flow:mian']", ["mian", "main"]),
        ("[project]\nname = 'a'\npipelines = ['folw:main']", ["folw"]),
        ("[project]\nname = 'a'\npipelines = ['flow:double']", ["double", "pipeline"]),
        ("[project]\nname = 'a'\npipelines = ['gone.yaml']", ["gone.yaml"]),
        ("[project]\nname = 'a'\npipelines = ['../out.yaml']", ["../out.yaml"]),
    ],
)
def test_broken_settings(place: Place, text: str, parts: list[str]) -> None:
    place.flow(FLOW)
    place.write("mainspring.toml", text)
    polite(place("run"), 2, *parts)
    assert place.attempts() == set()


def test_settings_that_are_not_text(place: Place) -> None:
    (place.root / "mainspring.toml").write_bytes(b"\xff\xfe\x00")
    polite(place("run"), 2, "mainspring.toml")


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("n=x", ["n", "int", "'x'"]),
        ("n=1.5", ["n", "int"]),
        ("n=true", ["n", "int"]),
        ("rate=fast", ["rate", "float"]),
        ("rate=nan", ["rate"]),
        ("sizes=3", ["sizes", "list[int]"]),
        ("sizes=[1, 'a']", ["sizes"]),
        ("nn=3", ["nn", "n"]),
        ("n", ["n", "NAME=VALUE"]),
    ],
)
def test_parameters(shared: Place, given: str, parts: list[str]) -> None:
    for verb in ("plan", "run"):
        polite(shared(verb, "-p", given), 2, *parts)
    assert shared("runs", "--json").json["runs"] == []


def test_a_parameter_that_must_be_given(place: Place) -> None:
    place.flow("""
        @step
        def double(x: int) -> int:
            return 2 * x

        @pipeline
        def main(n: int):
            return double(n)
    """)
    polite(place("run"), 2, "n", "-p n=")
    assert place.counts("-p", "n=2") == {"succeeded": 1}


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        ("uses", "use", ["tiny.yaml:3", "what to run", "`uses`"]),
        ("steps", "stepz", ["tiny.yaml:2", "`stepz`", "`steps`"]),
        ("with: { x", "with: { y", ["tiny.yaml:3", "y", "x"]),
        ("x: 1", "x: one", ["tiny.yaml:3", "x", "int"]),
        ("x: 1", 'x: "${{ parameters.n }}"', ["tiny.yaml:3", "n"]),
        ("x: 1", 'x: "${{ steps.dubble }}"', ["tiny.yaml:3", "dubble"]),
        ("x: 1", 'x: "${{ steps.double }}"', ["tiny.yaml:3", "double"]),
        ("x: 1", 'x: "${{ __import__(1) }}"', ["tiny.yaml:3", "__import__"]),
        ("x: 1", 'x: "${{ 1 + }}"', ["tiny.yaml:3"]),
        ("flow:double", "flow:duoble", ["tiny.yaml:3", "duoble", "double"]),
        ("x: 1 }", "x: 1 }, retries: many", ["tiny.yaml:3", "retries", "many"]),
        ("x: 1 }", "x: 1 }, resources: { cpu: 1 }", ["tiny.yaml:3", "cpu=1"]),
        ("steps:", "steps: [", ["tiny.yaml"]),
        ("pipeline: tiny\n", "pipeline: tiny\npipeline: tiny\n", ["tiny.yaml:2", "pipeline"]),
        ("pipeline: tiny\n", "", ["tiny.yaml", "pipeline"]),
        ("pipeline: tiny", "pipeline: &a [*a]", ["tiny.yaml"]),
        ("pipeline: tiny", "pipeline: !!python/object:os.system x", ["tiny.yaml:1"]),
    ],
)
def test_pipeline_files(place: Place, before: str, after: str, parts: list[str]) -> None:
    place.flow(FLOW)
    place.write("tiny.yaml", YAML.replace(before, after, 1))
    polite(place("run", "tiny.yaml"), 2, *parts)


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("return double('a')", ["flow.py:17", "int", "str"]),
        ("return double(y=1)", ["flow.py:17", "`y`"]),
        ("return double()", ["flow.py:17", "x"]),
        ("return double(double(1).reslut)", ["flow.py:17", "reslut"]),
        ("\n    if double(1):\n        pass", ["flow.py:18", "when"]),
        ("\n    for x in double(1):\n        pass", ["flow.py:18", "map"]),
        ("return double.map(double(1))", ["flow.py:17", "list"]),
        ("return double.options(retires=2)(1)", ["flow.py:17", "retires", "retries"]),
        ("return double.options(timeout='soon')(1)", ["flow.py:17", "timeout", "soon"]),
        ("return double.options(cpus=4096)(1)", ["double", "cpus", "4096"]),
        ("return double(object())", ["flow.py:17", "object"]),
        ("return 1 / 0", ["flow.py:17", "ZeroDivisionError"]),
        ("raise SystemExit(3)", ["flow.py:17", "sys.exit(3)"]),
    ],
)
def test_pipelines(place: Place, body: str, parts: list[str]) -> None:
    text = HEAD + FLOW.replace("\n    ", "\n").replace("return double(n)", body)
    (place.root / "flow.py").write_text(text)
    polite(place("run"), 2, *parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("def main(:", ["flow.py:1", "SyntaxError"]),
        ("import nothing_like_it", ["flow.py:1", "nothing_like_it"]),
        ("1 / 0", ["flow.py:1", "ZeroDivisionError"]),
        ("raise SystemExit", ["flow.py:1"]),
        ("from mainspring import stepp", ["flow.py:1", "stepp"]),
        ("from flow import main", ["flow"]),
    ],
)
def test_modules_that_cannot_be_imported(place: Place, text: str, parts: list[str]) -> None:
    place.write("flow.py", text)
    polite(place("run"), 2, *parts)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["show", "nope"], ["nope", "mainspring runs"]),
        (["show"], ["no run"]),
        (["resume", "latest"], ["no run"]),
        (["rerun", "latest", "--from", "x"], ["no run"]),
        (["why", "latest/x"], ["no run"]),
        (["logs"], ["no run"]),
        (["artifacts", "get", "latest", "double"], ["no run"]),
        (["run", "mian"], ["mian", "main"]),
        (["run", "--force", "dubble"], ["dubble", "double"]),
        (["run", "--seed", "x"], ["seed"]),
        (["rnu"], ["rnu", "run"]),
        (["run", "--frce", "x"], ["--frce", "--force"]),
        (["-C", "/nowhere/at/all", "run"], ["/nowhere/at/all"]),
    ],
)
def test_words_that_name_nothing(shared: Place, words: list[str], parts: list[str]) -> None:
    polite(shared(*words), 2, *parts)


def test_wrong_use_as_json(shared: Place) -> None:
    done = shared("run", "--json", "-p", "nn=3")
    assert (done.code, done.out) == (2, "")
    told = json.loads(done.err)
    assert told["format"] == "mainspring.error/1"
    assert told["error"]["exit_code"] == 2
    assert "did you mean" in told["error"]["hint"]
