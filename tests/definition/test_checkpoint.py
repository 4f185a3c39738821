"""Checkpoints guard what is decided after them."""

from tests.definition.conftest import nodes


def test_checkpoints_guard_later_decisions_of_their_scope(project):
    module = project(
        "\n@pipeline\ndef judged():\n    checkpoint('inside', number() > 1)\n"
        "\n@pipeline\ndef main():\n    n = number()\n    judged()\n"
        "    checkpoint('first', n > 1)\n    checkpoint('warned', n > 2, on_fail='warn')\n"
        "    with when(n > 5):\n        checkpoint('branch', n > 3)\n        judged()\n"
        "        checkpoint('nested', n > 4)\n"
        "    checkpoint('last', n > 6)\n    judged()\n    evaluate(1.0)\n    inner(2.0)\n"
    )
    guards = {name: node.guards for name, node in nodes(module).items()}
    assert guards == {
        "number": (),
        "judged": (),
        "first": (),
        "warned": ("first",),
        "branch": ("first",),
        "judged_2": ("first", "branch"),
        "nested": ("first", "branch"),
        "last": ("first",),
        "judged_3": ("first", "last"),
        "evaluate": (),
        "inner": (),
    }
