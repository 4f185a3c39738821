from __future__ import annotations

from mainspring import checkpoint, command, pipeline, step
from mainspring.interactive import shown


@step
def load(n: int) -> list[int]:
    return list(range(n))


@step
def double(value: int) -> int:
    return 2 * value


@pipeline
def inner(n: int):
    return load(n)


@step
def size(values: list[int], c: float) -> float:
    return len(values) * c


@pipeline
def whole(n: int, c: float = 1.0):
    values = inner(n)
    doubled = double.map(values)
    checkpoint("enough", size(values, c) > 0.5)
    command("cat {inputs.x} {outputs.y}", outputs={"y": "y.txt"})(x=doubled)


def test_the_graph_of_a_pipeline() -> None:
    shapes, arrows = shown.graph(whole.spec)
    assert [(shape.path, shape.kind) for shape in shapes] == [
        ("inner/load", "step"),
        ("double", "map"),
        ("size", "step"),
        ("enough", "checkpoint"),
        ("cat", "command"),
    ]
    assert ("inner/load", "double", False) in arrows


def test_a_pipeline_says_its_parameters() -> None:
    page = whole._repr_html_()
    assert "n c=1.0" in page
    assert "inner/load (step): test_shown.py:" in page or "inner/load (step): tests" in page
