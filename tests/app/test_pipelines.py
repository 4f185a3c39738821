from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.app.flows import write

from mainspring.app.pipelines import (
    check_parameters,
    import_module,
    load_pipeline,
    pipeline_names,
)
from mainspring.app.project import Project
from mainspring.records.errors import DefinitionError, MainspringError, ParameterError, ProjectError
from mainspring.records.spec import Parameter, PipelineSpec


def checked(kind: str, value: Any) -> Any:
    spec = PipelineSpec(name="p", parameters={"c": Parameter(type=kind)})
    found = check_parameters(spec, {"c": value})["c"]
    return type(found), found


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("int", 3, 3), ("int", "3", 3), ("int", " -3 ", -3),
        ("float", 3, 3.0), ("float", "0.5", 0.5), ("float", "1e3", 1000.0),
        ("bool", True, True), ("bool", "true", True), ("bool", "No", False), ("bool", "1", True),
        ("str", "3", "3"), ("str", "", ""), ("str", "none", "none"),
        ("pathlib.Path", "a/b", "a/b"),
        ("None", None, None), ("None", "null", None),
        ("list", "[1, 'a']".replace("'", '"'), [1, "a"]), ("list", (1, 2), [1, 2]),
        ("list[int]", "[1, 2]", [1, 2]), ("list[float]", [1, 2.5], [1.0, 2.5]),
        ("list[list[int]]", "[[1], []]", [[1], []]), ("list[int | None]", "[1, null]", [1, None]),
        ("tuple[int, str]", '[1, "a"]', [1, "a"]), ("list[flow.Thing]", "[1]", [1]),
        ("dict", '{"a": 1}', {"a": 1}), ("dict[str, float]", {"a": 1}, {"a": 1.0}),
        ("dict[str, list[int]]", '{"a": [1]}', {"a": [1]}),
        ("int | None", "none", None), ("int | None", "3", 3), ("None | int", "3", 3),
        ("str | None", None, None), ("int | str", "3", 3), ("int | str", "x", "x"),
        ("Literal['a', 'b']", "b", "b"), ("Literal[1, 2]", "2", 2), ("Literal[1, 2]", 1, 1),
        ("Literal['a|b', 'c']", "a|b", "a|b"), ("Literal['a'] | None", "none", None),
        ("Literal[True, 'auto']", True, True), ("Literal[True, 'auto']", "auto", "auto"),
        ("any", "1", 1), ("any", "text", "text"), ("any", {"a": [1]}, {"a": [1]}),
        ("any", "[1", "[1"), ("flow.Thing", '{"a": 1}', {"a": 1}),
    ],
)  # fmt: skip
def test_values_that_fit(kind: str, given: Any, expected: Any) -> None:
    assert checked(kind, given) == (type(expected), expected)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("int", "3.5"), ("int", 3.5), ("int", True), ("int", "many"), ("int", None), ("int", [1]),
        ("float", "x"), ("float", True), ("float", None), ("float", "nan"), ("float", "inf"),
        ("float", float("nan")), ("any", float("inf")), ("any", [float("nan")]),
        ("bool", 1), ("bool", "maybe"), ("bool", ""), ("str", 3), ("str", None), ("None", "x"),
        ("pathlib.Path", 3),
        ("list", "x"), ("list", "{}"), ("list", 3), ("list[int]", "[1.5]"), ("list[int]", '["a"]'),
        ("list[int | None]", '["a"]'), ("list[int | None]", "x"), ("list[flow.Thing]", "x"),
        ("tuple[int, str]", "[1]"), ("tuple[int, str]", "[1, 2]"), ("dict", "[1]"),
        ("dict[str, float]", '{"a": "x"}'), ("dict[str, list[int]]", '{"a": 1}'),
        ("int | None", "x"), ("Literal['a', 'b']", "c"), ("Literal['a|b']", "a"),
        ("Literal[1, 2]", True), ("Literal['a'] | None", "b"), ("list[int] | None", "[true]"),
        ("int", 10**30), ("int", "9" * 30), ("any", 10**30), ("any", "9" * 30), ("any", object()),
        ("any", {1: 2}),
    ],
)  # fmt: skip
def test_values_that_do_not(kind: str, given: Any) -> None:
    with pytest.raises(ParameterError) as caught:
        checked(kind, given)
    assert "parameter 'c'" in caught.value.what


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("int", "3"),
        ("float | None", "0.5"),
        ("list[int]", "[1, 2]"),
        ("dict[str, int]", '{"a": 1}'),
    ],
)  # fmt: skip
def test_what_would_have_been_right(kind: str, hint: str) -> None:
    with pytest.raises(ParameterError) as caught:
        checked(kind, "wrong")
    assert caught.value.what == f"parameter 'c' is 'wrong', which is no {kind}"
    assert caught.value.hint == f"give a value like {hint}"


def test_names_and_defaults() -> None:
    spec = PipelineSpec(
        name="p",
        parameters={"rate": Parameter(type="float", default=0.5), "size": Parameter(type="int")},
    )
    assert check_parameters(spec, {"size": "3"}) == {"rate": 0.5, "size": 3}
    with pytest.raises(ParameterError) as caught:
        check_parameters(spec, {"sise": 3})
    assert (caught.value.what, caught.value.hint) == (
        "p has no parameter 'sise'", "did you mean 'size'?",
    )  # fmt: skip
    with pytest.raises(ParameterError, match="there is rate, size"):
        check_parameters(spec, {"zzz": 3})
    with pytest.raises(ParameterError) as caught:
        check_parameters(spec, {})
    assert (caught.value.what, caught.value.hint) == (
        "p needs a value for parameter 'size' (int)", "give it with -p size=VALUE",
    )  # fmt: skip
    with pytest.raises(ParameterError, match="there is none"):
        check_parameters(PipelineSpec(name="p"), {"x": 1})


# Finding and importing.

SETTINGS = """
    [project]
    name = "demo"
    pipelines = ["{module}:main", "other.yaml"]
"""
YAML = """
    pipeline: other
    parameters: {{ n: 2 }}
    steps:
      one: {{ uses: "{module}:one", with: {{ n: "${{{{ parameters.n }}}}" }} }}
"""
FLOW = """
    from mainspring import pipeline, step

    @step
    def one(n: int) -> int:
        return n

    @pipeline
    def main(n: int = 1):
        return one(n)

    not_a_pipeline = 3
"""


class World:
    """A project whose modules have names that no other test's have."""

    def __init__(self, root: Path, module: str) -> None:
        write(root, SETTINGS.format(module=module), "mainspring.toml")
        write(root, YAML.format(module=module), "other.yaml")
        write(root, FLOW, f"{module}.py")
        self.root, self.module = root, module
        self.project = Project(root)

    def load(self, target: str | None = None) -> PipelineSpec:
        return load_pipeline(self.project, target, self.root)

    def error(self, target: str) -> MainspringError:
        with pytest.raises(MainspringError) as caught:
            self.load(target)
        return caught.value


@pytest.fixture
def world(
    project: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[World]:
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    found = World(project, f"flow_{abs(hash(request.node.name))}")
    yield found
    found.project.close()
    for name in set(sys.modules) - before:
        if str(project) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_by_name_by_module_by_file_and_by_default(world: World) -> None:
    assert pipeline_names(world.project) == ["main", "other"]
    assert world.load() == world.load("main") == world.load(f"{world.module}:main")
    assert world.load("other") == world.load("other.yaml")
    assert world.load("other").parameters["n"].default == 2


@pytest.mark.parametrize(
    ("target", "what", "hint"),
    [
        ("mian", "there is no pipeline 'mian'", "did you mean 'main'?"),
        ("zzz", "there is no pipeline 'zzz'", "list it in mainspring.toml, [project] pipelines"),
        ("{module}:mainn", "module '{module}' has no pipeline 'mainn'", "did you mean 'main'?"),
        ("{module}:not_a_pipeline", "has no pipeline 'not_a_pipeline'", "there is main"),
        ("no_such_module:main", "there is no module 'no_such_module'", ""),
        ("missing.yaml", "there is no file missing.yaml in the project", ""),
        ("../demo2/other.yaml", "lies outside of the project", ""),
    ],
)
def test_what_is_not_there(world: World, target: str, what: str, hint: str) -> None:
    error = world.error(target.format(module=world.module))
    assert what.format(module=world.module) in error.what
    assert hint in (error.hint or "")


def test_a_project_that_lists_nothing(project: Path) -> None:
    opened = Project(project)
    with pytest.raises(ProjectError, match="lists no pipeline") as caught:
        load_pipeline(opened, None, project)
    assert caught.value.where == "mainspring.toml"
    opened.close()


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("import os\n\nx = 1 / 0\n", "ZeroDivisionError: division by zero", 3),
        ("def broken(:\n    pass\n", "SyntaxError", 1),
        ("import mainspring_no_such_package\n", "ModuleNotFoundError", 1),
        ("from mainspring import no_such_name\n", "ImportError", 1),
        ("import sys\nsys.exit(3)\n", "sys.exit(3)", 2),
        ("def f():\n    raise RuntimeError('deep')\n\nf()\n", "RuntimeError: deep", 2),
    ],
)
def test_a_fault_in_a_module_is_named_with_its_line(
    world: World, text: str, what: str, line: int
) -> None:
    write(world.root, text, f"{world.module}_bad.py")
    error = world.error(f"{world.module}_bad:main")
    assert isinstance(error, DefinitionError)
    assert what in error.what
    assert error.where == f"{world.module}_bad.py:{line}"
    if "mainspring_no_such_package" in text:
        assert error.hint is not None and "a package to be installed" in error.hint


def test_a_fault_in_what_it_imports(world: World) -> None:
    write(world.root, "x = 1\ny = {}['gone']\n", f"{world.module}_inner.py")
    write(world.root, f"import {world.module}_inner\n", f"{world.module}_outer.py")
    error = world.error(f"{world.module}_outer:main")
    assert "KeyError: 'gone'" in error.what
    assert error.where == f"{world.module}_inner.py:2"


def test_an_error_of_our_own_is_passed_on(world: World) -> None:
    text = "from mainspring import step\n\n@step(cpus=-1)\ndef f() -> int: ...\n"
    write(world.root, text, f"{world.module}_own.py")
    error = world.error(f"{world.module}_own:main")
    assert "cpus" in error.what
    assert (error.where or "").startswith(f"{world.module}_own.py:")


def test_importing_leaves_no_bytecode_behind(world: World) -> None:
    import_module(world.module)
    assert not (world.root / "__pycache__").exists()
