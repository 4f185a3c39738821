"""Branches: conditions of nodes, and what may be absent after them."""

import pytest
from tests.definition.conftest import nodes, traced

from mainspring.records.errors import DefinitionError


def test_branches(project):
    found = traced(
        project,
        "n = number()\n"
        "with when(n > 1) as big:\n    a = evaluate(n).accuracy\n"
        "    with when(p > 2):\n        b = number.options(when=q == 'x')(2)\n"
        "with big.otherwise():\n    c = number(3)\n"
        "join_loose(a, c)\njoin_loose(b=b, a=None)\nuntyped(a)",
    )
    assert found["evaluate"].when == "${{ steps.number > 1 }}"
    assert found["number_2"].when == (
        "${{ steps.number > 1 and parameters.p > 2 and (parameters.q == 'x') }}"
    )
    assert found["number_3"].when == "${{ not steps.number > 1 }}"
    assert found["join_loose"].when is None
    assert found["untyped"].when is None


def test_a_join_in_the_same_branch_needs_no_default(project):
    found = traced(project, "with when(flag()):\n    n = number()\n    join_strict(n)")
    assert found["join_strict"].options.join


def test_what_a_branch_inside_a_sub_pipeline_leaves_out_may_be_absent(project):
    module = project(
        "\n@pipeline\ndef part():\n    with when(flag()):\n        a = number()\n"
        "    return {'a': a, 'b': number()}\n"
        "\n@pipeline\ndef good():\n    join_strict(part().b)\n"
        "\n@pipeline\ndef bad():\n    join_strict(part().a)\n"
    )
    assert "join_strict" in nodes(module, "good")
    with pytest.raises(DefinitionError, match="may be absent"):
        _ = module.bad.spec
