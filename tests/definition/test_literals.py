"""Plain values in a spec."""

from tests.definition.conftest import traced


def test_literals(project):
    found = traced(
        project,
        "untyped('${{ x }}', [1, (2, None), {'a': '$${{'}])\n"
        "untyped(float('inf'), [float('nan')])\n"
        "untyped(np.float64(0.5), np.int64(3))\n"
        "take_path(Path('a/b'))\nuntyped(range(3), True)",
    )
    assert found["untyped"].bindings == {"x": "$${{ x }}", "y": [1, [2, None], {"a": "$$${{"}]}
    assert found["untyped_2"].bindings == {
        "x": "${{ float('inf') }}",
        "y": "${{ [float('nan')] }}",
    }
    assert found["untyped_3"].bindings == {"x": 0.5, "y": 3}
    assert found["take_path"].bindings == {"path": "a/b"}
    assert found["untyped_4"].bindings == {"x": [0, 1, 2], "y": True}
