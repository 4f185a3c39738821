"""Calls in a pipeline: maps and order."""

from tests.definition.conftest import traced

from mainspring.records.spec import CheckpointNode


def test_map(project):
    found = traced(
        project,
        "m = train.map([load(), load('b')], c=p)\nevaluated = evaluate.map(m)\n"
        "report(evaluated[1])\nuntyped(evaluated.accuracy, evaluated.accuracy[0])\n"
        "untyped.map(pair(), names())\nuntyped(m[0], m)",
    )
    assert found["train"].map == ("x",)
    assert found["train"].bindings == {
        "x": "${{ [steps.load, steps.load_2] }}",
        "c": "${{ parameters.p }}",
    }
    assert found["evaluate"].bindings == {"c": "${{ steps.train }}"}
    assert found["report"].bindings == {"scores": "${{ steps.evaluate[1] }}"}
    assert found["untyped"].bindings == {
        "x": "${{ steps.evaluate.accuracy }}",
        "y": "${{ steps.evaluate[0].accuracy }}",
    }
    assert found["untyped_2"].map == ("x", "y")
    assert found["untyped_2"].bindings["x"] == "${{ [steps.pair[0], steps.pair[1]] }}"


def test_after(project):
    found = traced(
        project,
        "n = number()\nc = checkpoint('c', n > 1)\n"
        "number.options(after=[c, n, 'number'])()\nevaluate.options(after=c)(1.0)",
    )
    assert found["number_2"].after == ("c", "number")
    assert found["evaluate"].after == ("c",)
    assert isinstance(found["c"], CheckpointNode)
