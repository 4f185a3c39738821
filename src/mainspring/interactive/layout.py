"""Where the nodes of a graph are drawn: in layers, downwards, groups as boxes around theirs.

A group is laid out by itself first and is then one wide node among its neighbours (a group depends
on others as a whole, so there are no cycles). Within a layer, nodes are ordered by the mean place
of what they depend on. The same graph always gives the same picture.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

HEIGHT = 30
ACROSS, DOWN = 18, 30  # between nodes of a layer, between layers
MARGIN, TITLE = 12, 20  # inside a group
WIDEST = 1_000  # a layer that is wider is broken into rows
LABEL = 30  # characters of a label at most
LANE = 10  # width that a line takes which passes a layer

Point = tuple[float, float]


class Frame(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


class Layout(NamedTuple):
    """The frames of nodes and groups by path, the points of lines by (from, to), and the size."""

    nodes: dict[str, Frame]
    groups: dict[str, Frame]
    lines: dict[tuple[str, str], list[Point]]
    width: float
    height: float


class _Part:
    """A node, a group with parts in it, or (`path` empty) a place where a line passes."""

    def __init__(self, path: str, width: float, height: float) -> None:
        self.path = path
        self.width = width
        self.height = height
        self.parts: dict[str, _Part] = {}
        self.place: Point = (0.0, 0.0)
        self.rank = 0


def text_width(text: str) -> float:
    """About how wide a text is at 12 pixels, in pixels."""
    return sum(12.0 if unicodedata.east_asian_width(sign) in "WF" else 7.0 for sign in text)


def shortened(text: str) -> str:
    """A label that fits."""
    return text if len(text) <= LABEL else text[: LABEL - 1] + "…"


def layout(labels: Mapping[str, str], edges: Iterable[tuple[str, str]]) -> Layout:
    """Return where the nodes lie. `labels` are their texts by path (`group/node`), `edges` lead
    from a path to one that depends on it."""
    root = _Part("", 0, 0)
    for path, label in labels.items():
        _add(root, path, text_width(shortened(label)) + 40)
    known = [(a, b) for a, b in dict.fromkeys(edges) if a in labels and b in labels]
    passed: dict[tuple[str, str], list[_Part]] = {}
    _arrange(root, known, passed)
    found = Layout({}, {}, {}, root.width, root.height)
    _settle(root, (0.0, 0.0), found)
    places = _places(root, (0.0, 0.0))
    for edge in known:
        a, b = found.nodes[edge[0]], found.nodes[edge[1]]
        inner: list[Point] = []
        for part in passed.get(edge, []):
            x, y = places[id(part)]
            inner += [(x + part.width / 2, y), (x + part.width / 2, y + part.height)]
        start = (a.x + a.width / 2, a.y + a.height)
        found.lines[edge] = [start, *inner, (b.x + b.width / 2, b.y)]
    return found


def _add(root: _Part, path: str, width: float) -> None:
    part = root
    names = path.split("/")
    for depth in range(1, len(names)):
        above = "/".join(names[:depth])
        part = part.parts.setdefault(above, _Part(above, 0, 0))
    part.parts[path] = _Part(path, width, HEIGHT)


def _arrange(
    group: _Part, edges: Sequence[tuple[str, str]], passed: dict[tuple[str, str], list[_Part]]
) -> None:
    """Give the parts of a group, and of those in it, their places, relative to the group."""
    for part in group.parts.values():
        if part.parts:
            _arrange(part, edges, passed)
    before = _between(group, edges)
    _rank(group, before)
    rows: dict[int, list[_Part]] = defaultdict(list)
    for part in group.parts.values():
        rows[part.rank].append(part)
    above = _lanes(group, edges, before, rows, passed)
    ordered = _ordered([rows[rank] for rank in sorted(rows)], above)
    _place(group, [row for layer in ordered for row in _broken(layer)])


def _between(group: _Part, edges: Sequence[tuple[str, str]]) -> dict[str, dict[str, None]]:
    """Which parts of the group each of them depends on."""
    before: dict[str, dict[str, None]] = {path: {} for path in group.parts}
    for a, b in edges:
        one, other = _part_of(group, a), _part_of(group, b)
        if one is not None and other is not None and one is not other:
            before[other.path][one.path] = None
    return before


def _part_of(group: _Part, path: str) -> _Part | None:
    """The part of a group that a node is, or lies in."""
    prefix = group.path + "/" if group.path else ""
    if not path.startswith(prefix):
        return None
    found = group.parts.get(path)
    return found or group.parts.get(prefix + path[len(prefix) :].partition("/")[0])


def _rank(group: _Part, before: Mapping[str, Mapping[str, None]]) -> None:
    """The layer of each part: one below the lowest that it depends on."""
    done: set[str] = set()
    for start in group.parts:
        stack = [start]
        while stack:
            path = stack[-1]
            missing = [each for each in before[path] if each not in done]
            if path in done or not missing:
                stack.pop()
                done.add(path)
                ranks = (group.parts[each].rank + 1 for each in before[path])
                group.parts[path].rank = max(ranks, default=0)
            else:
                stack += missing


def _lanes(
    group: _Part,
    edges: Sequence[tuple[str, str]],
    before: Mapping[str, Mapping[str, None]],
    rows: dict[int, list[_Part]],
    passed: dict[tuple[str, str], list[_Part]],
) -> dict[int, list[_Part]]:
    """Put a lane into each layer that lines pass; return what lies above each part, by id."""
    above: dict[int, list[_Part]] = defaultdict(list)
    lanes: dict[tuple[str, str], list[_Part]] = {}
    for path, deps in before.items():
        low = group.parts[path]
        for dep in deps:
            high, chain = group.parts[dep], list[_Part]()
            last = high
            for rank in range(high.rank + 1, low.rank):
                lane = _Part("", LANE, HEIGHT)
                lane.rank = rank
                rows[rank].append(lane)
                above[id(lane)].append(last)
                chain.append(lane)
                last = lane
            above[id(low)].append(last)
            lanes[dep, path] = chain
    for edge in edges:
        one, other = _part_of(group, edge[0]), _part_of(group, edge[1])
        if one is not None and other is not None and one is not other:
            passed[edge] = lanes[one.path, other.path]
    return above


def _ordered(layers: list[list[_Part]], above: Mapping[int, list[_Part]]) -> list[list[_Part]]:
    """The layers, each ordered by the mean place of what lies above."""
    place: dict[int, float] = {}
    made: list[list[_Part]] = []
    for layer in layers:
        keys: dict[int, float] = {}
        for at, part in enumerate(layer):
            found = [place[id(each)] for each in above.get(id(part), []) if id(each) in place]
            keys[id(part)] = sum(found) / len(found) if found else at / max(1, len(layer))
        row = sorted(layer, key=lambda part: keys[id(part)])
        place.update({id(part): (at + 0.5) / len(row) for at, part in enumerate(row)})
        made.append(row)
    return made


def _broken(layer: list[_Part]) -> list[list[_Part]]:
    """A layer as rows, none much wider than a page."""
    rows: list[list[_Part]] = [[]]
    width = 0.0
    for part in layer:
        if rows[-1] and width + part.width > WIDEST:
            rows.append([])
            width = 0.0
        rows[-1].append(part)
        width += part.width + ACROSS
    return rows


def _place(group: _Part, rows: list[list[_Part]]) -> None:
    inner = [sum(part.width + ACROSS for part in row) - ACROSS for row in rows]
    title = text_width(group.path.rpartition("/")[2]) + 2 * MARGIN if group.path else 0.0
    width = max([*inner, title - 2 * MARGIN, 0.0])
    top = float(MARGIN + TITLE if group.path else MARGIN)
    for row, length in zip(rows, inner, strict=True):
        height = max(part.height for part in row)
        x = MARGIN + (width - length) / 2
        for part in row:
            part.place = (x, top + (0 if not part.path else (height - part.height) / 2))
            if not part.path:
                part.height = height  # a line goes straight through
            x += part.width + ACROSS
        top += height + DOWN
    # Lanes belong to no part of the graph, but their places have to be found again.
    group.parts.update(
        {f"\0{number}": part for number, part in enumerate(_lane_parts(rows), start=1)}
    )
    group.width, group.height = width + 2 * MARGIN, top - DOWN + MARGIN


def _lane_parts(rows: list[list[_Part]]) -> list[_Part]:
    return [part for row in rows for part in row if not part.path]


def _settle(group: _Part, at: Point, found: Layout) -> None:
    for part in group.parts.values():
        x, y = at[0] + part.place[0], at[1] + part.place[1]
        if part.parts:
            found.groups[part.path] = Frame(x, y, part.width, part.height)
            _settle(part, (x, y), found)
        elif part.path:
            found.nodes[part.path] = Frame(x, y, part.width, part.height)


def _places(group: _Part, at: Point) -> dict[int, Point]:
    """Where every part lies, by its id."""
    found: dict[int, Point] = {}
    for part in group.parts.values():
        here = (at[0] + part.place[0], at[1] + part.place[1])
        found[id(part)] = here
        found |= _places(part, here)
    return found
