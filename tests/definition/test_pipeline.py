"""Tracing: what a pipeline function becomes, node by node."""

import json
from pathlib import Path

import msgspec
import pytest
from tests.definition import digits as example
from tests.definition.conftest import traced, without_places

from mainspring.definition.pipeline import Pipeline
from mainspring.records.errors import DefinitionError
from mainspring.records.spec import GroupNode, PipelineSpec

ARRAY = "numpy.ndarray"

GOLDEN = {
    "name": "digits",
    "doc": "Train and judge a classifier.",
    "parameters": {
        "c": {"type": "float", "default": 1.0},
        "test_size": {"type": "float", "default": 0.25},
    },
    "steps": [
        {
            "type": "step",
            "name": "load",
            "uses": "tests.definition.digits:load",
            "outputs": {"0": ARRAY, "1": ARRAY},
            "bundle": "tuple",
            "options": {},
        },
        {
            "type": "step",
            "name": "split",
            "with": {
                "x": "${{ steps.load[0] }}",
                "y": "${{ steps.load[1] }}",
                "test_size": "${{ parameters.test_size }}",
            },
            "uses": "tests.definition.digits:split",
            "inputs": {"x": ARRAY, "y": ARRAY, "test_size": "float"},
            "outputs": dict.fromkeys(["x_train", "x_test", "y_train", "y_test"], ARRAY),
            "bundle": "tests.definition.digits:Data",
            "options": {},
        },
        {
            "type": "step",
            "name": "train",
            "with": {
                "x": "${{ steps.split.x_train }}",
                "y": "${{ steps.split.y_train }}",
                "c": "${{ parameters.c }}",
            },
            "uses": "tests.definition.digits:train",
            "inputs": {"x": ARRAY, "y": ARRAY, "c": "float"},
            "outputs": {"result": "dict[str, any]"},
            "options": {"cpus": 2.0, "retries": 2, "timeout": 1800.0},
        },
        {
            "type": "step",
            "name": "evaluate",
            "with": {
                "model": "${{ steps.train }}",
                "x": "${{ steps.split.x_test }}",
                "y": "${{ steps.split.y_test }}",
            },
            "uses": "tests.definition.digits:evaluate",
            "inputs": {"model": "dict[str, any]", "x": ARRAY, "y": ARRAY},
            "outputs": {"accuracy": "float", "matrix": "list[list[int]]"},
            "bundle": "tests.definition.digits:Scores",
            "options": {},
        },
        {
            "type": "checkpoint",
            "name": "accuracy",
            "condition": "${{ steps.evaluate.accuracy >= 0.95 }}",
        },
        {
            "type": "step",
            "name": "report",
            "with": {"scores": "${{ steps.evaluate }}"},
            "uses": "tests.definition.digits:report",
            "inputs": {"scores": "tests.definition.digits.Scores"},
            "outputs": {"result": "str"},
            "options": {},
        },
    ],
    "outputs": {"result": "${{ steps.train }}"},
}


def test_the_example_becomes_the_golden_spec():
    data = json.loads(msgspec.json.encode(without_places(example.digits.spec)))
    assert data == GOLDEN


def test_every_node_knows_its_line():
    lines = [node.where for node in example.digits.spec.steps]
    source = Path(example.__file__).read_text().splitlines()
    expected = [i for i, line in enumerate(source, 1) if line.startswith("    ") and "(" in line]
    assert [int(where.rpartition(":")[2]) for where in lines] == expected
    assert all(where.startswith("tests/definition/digits.py:") for where in lines)


def test_the_spec_survives_json():
    spec = example.digits.spec
    assert msgspec.json.decode(msgspec.json.encode(spec), type=PipelineSpec) == spec


def test_the_trace_is_made_once():
    assert example.digits.spec is example.digits.spec


def test_sub_pipelines(project):
    found = traced(
        project, "n, scores = inner(c=p)\nreport(scores)\nuntyped(n, inner.options(name='x')())"
    )
    group = found["inner"]
    assert isinstance(group, GroupNode)
    assert group.bindings == {"c": "${{ parameters.p }}"}
    assert group.pipeline.outputs == {"0": "${{ steps.number }}", "1": "${{ steps.evaluate }}"}
    assert group.pipeline.bundle == "tuple"
    assert found["report"].bindings == {"scores": "${{ steps.inner[1] }}"}
    assert found["untyped"].bindings == {"x": "${{ steps.inner[0] }}", "y": "${{ steps.x }}"}


@pytest.mark.parametrize(
    ("returned", "outputs", "bundle"),
    [
        ("None", {}, None),
        ("number()", {"result": "${{ steps.number }}"}, None),
        ("number() + 1", {"result": "${{ steps.number + 1 }}"}, None),
        ("(number(), 3)", {"0": "${{ steps.number }}", "1": 3}, "tuple"),
        ("{'n': number()}", {"n": "${{ steps.number }}"}, "dict"),
        (
            "evaluate(1.0)",
            {"accuracy": "${{ steps.evaluate.accuracy }}", "label": "${{ steps.evaluate.label }}"},
            "{module}:Scores",
        ),
        (
            "Scores(number(), 'x')",
            {"accuracy": "${{ steps.number }}", "label": "x"},
            "{module}:Scores",
        ),
        ("pair()", {"0": "${{ steps.pair[0] }}", "1": "${{ steps.pair[1] }}"}, "tuple"),
        ("number.map([1, 2])", {"result": "${{ steps.number }}"}, None),
        ("[number()]", {"result": "${{ [steps.number] }}"}, None),
    ],
)
def test_what_a_pipeline_returns(project, returned, outputs, bundle):
    module = project(f"\n@pipeline\ndef main():\n    return {returned}\n")
    assert module.main.spec.outputs == outputs
    assert module.main.spec.bundle == (bundle and bundle.format(module=module.__name__))


def test_outside_of_a_pipeline_everything_is_a_plain_call(project):
    module = project(
        "\n@step\ndef double(x: float) -> float:\n    return 2 * x\n"
        "\n@pipeline\ndef main(x: float = 1.0):\n    return double(double(x)), double.map([1, x])\n"
    )
    assert module.main(3.0) == (12.0, [2, 6.0])
    assert module.main() == (4.0, [2, 2.0])


def test_parameters_without_annotation(project):
    module = project("\n@pipeline\ndef main(a, b=2, *, c: np.ndarray = None):\n    number()\n")
    with pytest.raises(DefinitionError, match="parameter `c`"):
        _ = module.main.spec
    module = project(
        "\n@pipeline\ndef main(a, b=2, *, c: np.ndarray | None = None):\n    train(c)\n"
    )
    kinds = {k: p.type for k, p in module.main.spec.parameters.items()}
    assert kinds == {"a": "any", "b": "any", "c": "numpy.ndarray | None"}
    assert module.main.spec.parameters["a"].default is msgspec.UNSET


def test_run_goes_to_the_runner(monkeypatch):
    seen = []
    monkeypatch.setattr(Pipeline, "runner", lambda pipeline, given: seen.append((pipeline, given)))
    example.digits.run(0.5, test_size=0.1)
    assert seen == [(example.digits, {"c": 0.5, "test_size": 0.1})]
