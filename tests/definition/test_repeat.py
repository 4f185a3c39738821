"""Repeats: until, carry, and the outputs of the last round."""

from tests.definition.conftest import nodes, traced

from mainspring.records.spec import RepeatNode


def test_repeat(project):
    found = traced(
        project,
        "out = repeat(rounds, until=lambda o: (o.score >= 0.9) & (o['c'] > 0), max=3)"
        "(p, fixed='x')\nuntyped(out.score, out.rounds)\nuntyped(out)",
    )
    node = found["rounds"]
    assert isinstance(node, RepeatNode)
    assert node.until == "${{ outputs.score >= 0.9 and outputs.c > 0 }}"
    assert (node.max, node.carry, node.exhausted) == (3, {"c": "c"}, "continue")
    assert found["untyped"].bindings["y"] == "${{ steps.rounds.rounds }}"
    assert found["untyped_2"].bindings["x"] == (
        "${{ {'c': steps.rounds.c, 'score': steps.rounds.score} }}"
    )


def test_repeat_of_a_single_output(project):
    module = project(
        "\n@pipeline\ndef better(c: float):\n    return number()\n"
        "\n@pipeline\ndef main():\n"
        "    better_c = repeat(better, until=lambda v: v > 3, carry={'c': 'result'},\n"
        "                      exhausted='fail')\n    out = better_c(1)\n"
        "    return evaluate(out), out.rounds\n"
    )
    node = nodes(module)["better"]
    assert node.until == "${{ outputs.result > 3 }}"
    assert node.carry == {"c": "result"}
    assert nodes(module)["evaluate"].bindings == {"c": "${{ steps.better.result }}"}
    assert module.main.spec.outputs["1"] == "${{ steps.better.rounds }}"
