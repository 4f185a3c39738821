from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mainspring.interactive.layout import LABEL, Frame, layout, shortened, text_width


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Pipelines with groups: whatever is outside depends on a group as a whole, and so on."""
    paths: list[str] = []
    edges: list[tuple[str, str]] = []
    units: list[list[str]] = []
    for number in range(draw(st.integers(1, 12))):
        size = draw(st.integers(0, 3))
        inner = [f"g{number}/n{k}" for k in range(size)] or [f"n{number}"]
        if size == 3 and draw(st.booleans()):
            inner[2] = f"g{number}/h/deep"
        for k, path in enumerate(inner[1:], start=1):
            if draw(st.booleans()):
                edges.append((inner[k - 1], path))
        for before in units:
            if draw(st.integers(0, 3)) == 0:
                edges.append((draw(st.sampled_from(before)), draw(st.sampled_from(inner))))
        units.append(inner)
        paths += inner
    return {path: path.rpartition("/")[2] * draw(st.integers(1, 9)) for path in paths}, edges


def apart(one: Frame, other: Frame) -> bool:
    return (
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y
        or other.y + other.height <= one.y
    )


def within(one: Frame, other: Frame) -> bool:
    return (
        other.x <= one.x
        and other.y <= one.y
        and one.x + one.width <= other.x + other.width
        and one.y + one.height <= other.y + other.height
    )


@given(graphs())
def test_nothing_overlaps_and_all_flows_down(graph) -> None:
    labels, edges = graph
    found = layout(labels, edges)
    assert found.nodes.keys() == labels.keys()
    frames = list(found.nodes.values())
    for number, frame in enumerate(frames):
        assert within(frame, Frame(0, 0, found.width, found.height))
        assert all(apart(frame, other) for other in frames[number + 1 :])
    for before, after in edges:
        line = found.lines[before, after]
        assert found.nodes[before].y + found.nodes[before].height == line[0][1]
        assert found.nodes[after].y == line[-1][1]
        assert line[0][1] < line[-1][1]
    for path, frame in found.groups.items():
        for node, place in found.nodes.items():
            inside = node.startswith(path + "/")
            assert within(place, frame) if inside else apart(place, frame)
    assert layout(labels, edges) == found


def test_a_wide_layer_is_broken_into_rows() -> None:
    labels = {f"n{k}": "a name of some length" for k in range(40)}
    assert layout(labels, []).width < 1_400


def test_labels() -> None:
    assert shortened("x" * 100) == "x" * (LABEL - 1) + "…"
    assert text_width("一二") > text_width("ab")
