"""Operations on handles make expressions."""

from tests.definition.conftest import traced

from mainspring.definition.handles import Handle


def test_operators(project):
    found = traced(
        project,
        "n = number()\nm = mode()\nxs = numbers()\n"
        "untyped((n + 1) * 2 - -n, 2 ** n / (3 - n) // 1 % 5)\n"
        "untyped(abs(n) + round(n, 1), 'a' + q + 'b')\n"
        "untyped((n > 1) & ~(m == 'fast') | flag(), xs[1:2] + [p])\n"
        "untyped(xs[0] >= xs[-1], n != p)\nuntyped(1 - n, 1 < n)",
    )
    values = [v for node in found.values() for v in node.bindings.values()]
    assert values == [
        "${{ (steps.number + 1) * 2 - -steps.number }}",
        "${{ 2 ** steps.number / (3 - steps.number) // 1 % 5 }}",
        "${{ abs(steps.number) + round(steps.number, 1) }}",
        "${{ 'a' + parameters.q + 'b' }}",
        "${{ steps.number > 1 and (not steps.mode == 'fast') or steps.flag }}",
        "${{ steps.numbers[1:2] + [parameters.p] }}",
        "${{ steps.numbers[0] >= steps.numbers[-1] }}",
        "${{ steps.number != parameters.p }}",
        "${{ 1 - steps.number }}",
        "${{ steps.number > 1 }}",
    ]


def test_comparisons_that_may_hold_are_allowed(project):
    found = traced(
        project,
        "untyped(mode() == 'slow', color() == Color.RED)\n"
        "untyped(maybe() == None, flag() == True)\nuntyped(untyped() == 'x', number() == 3)",
    )
    assert found["untyped"].bindings["y"] == "${{ steps.color == 'red' }}"
    assert found["untyped_2"].bindings["x"] == "${{ steps.maybe == None }}"


def test_handles_are_hashable_and_say_what_they_are(project):
    module = project(
        "\nkept = []\n\n@pipeline\ndef main():\n    n = number()\n"
        "    kept.append({n: 1, n + 1: 2})\n"
    )
    _ = module.main.spec
    shown = [repr(key) for key in module.kept[0]]
    assert shown == ["<handle steps.number>", "<handle steps.number + 1>"]
    assert all(isinstance(key, Handle) for key in module.kept[0])
