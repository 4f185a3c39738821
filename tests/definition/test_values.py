"""Handles inside of other values."""

from tests.definition.conftest import traced


def test_handles_inside_containers_become_one_expression(project):
    found = traced(project, "n = number()\nuntyped([n, 1], {'k': (n, p)})")
    assert found["untyped"].bindings == {
        "x": "${{ [steps.number, 1] }}",
        "y": "${{ {'k': (steps.number, parameters.p)} }}",
    }
