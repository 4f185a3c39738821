"""A pipeline's graph as an SVG picture, of itself or of a run: readable on dark and light pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from mainspring.cli.screen import clean
from mainspring.cli.wording import symbol_of
from mainspring.interactive.layout import Frame, Layout, Point, layout, shortened

# Middle tones, which stand out from white and from black (3:1 and more).
COLORS = {
    "green": "#1a9850",
    "cyan": "#2b8cbe",
    "yellow": "#b8860b",
    "red": "#d7402b",
    "magenta": "#a655b5",
    "dim": "#808080",
    "": "#808080",
}
_FONT = "font:12px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif"
_PAGE = "var(--jp-layout-color0,var(--vscode-editor-background,var(--background,transparent)))"
_KINDS = {"map": "×", "repeat": "↻", "checkpoint": "◆", "command": "$", "notebook": "▤"}


class Shape(NamedTuple):
    """A node to be drawn: its kind, its state in a run or plan ("" for none), what to say of it."""

    path: str
    kind: str = "step"
    status: str = ""
    note: str = ""


class Arrow(NamedTuple):
    """`task` depends on `after`; `guard`: it has to have passed."""

    after: str
    task: str
    guard: bool = False


def draw(title: str, shapes: Sequence[Shape], arrows: Sequence[Arrow]) -> str:
    """Return the picture of a graph as an `<svg>` element."""
    labels = {shape.path: _label(shape) for shape in shapes}
    found = layout(labels, [(arrow.after, arrow.task) for arrow in arrows])
    guards = {(arrow.after, arrow.task) for arrow in arrows if arrow.guard}
    width, height = round(found.width) + 2, round(found.height) + 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" style="max-width:100%;height:auto;{_FONT}">',
        f"<title>{_text(title)}</title><desc>{_text(_described(shapes, arrows))}</desc>",
        *(_group(path, frame) for path, frame in found.groups.items()),
        *_lines(found, guards),
        *(_node(shape, found.nodes[shape.path]) for shape in shapes),
        "</svg>",
    ]
    return "".join(parts)


def _label(shape: Shape) -> str:
    sign = _KINDS.get(shape.kind, "")
    name = shape.path.rpartition("/")[2]
    return f"{sign} {name}" if sign else name


def _text(text: str) -> str:
    return escape(clean(text), quote=True)


def _described(shapes: Sequence[Shape], arrows: Sequence[Arrow]) -> str:
    """The graph in words, for those who can't see it."""
    before: dict[str, list[str]] = {}
    for arrow in arrows:
        before.setdefault(arrow.task, []).append(arrow.after)
    said: list[str] = []
    for shape in shapes:
        state = f" ({shape.status})" if shape.status else ""
        after = ", ".join(before.get(shape.path, []))
        said.append(f"{shape.path}{state}" + (f" after {after}" if after else ""))
    return "; ".join(said)


def _group(path: str, frame: Frame) -> str:
    name = _text(shortened(path.rpartition("/")[2]))
    return (
        f'<rect x="{frame.x:.1f}" y="{frame.y:.1f}" width="{frame.width:.1f}" '
        f'height="{frame.height:.1f}" rx="6" style="fill:currentColor;fill-opacity:.04;'
        f'stroke:currentColor;stroke-opacity:.35;stroke-dasharray:4 3"/>'
        f'<text x="{frame.x + 10:.1f}" y="{frame.y + 16:.1f}" '
        f'style="fill:currentColor;fill-opacity:.7;font-size:11px">{name}</text>'
    )


def _lines(found: Layout, guards: set[tuple[str, str]]) -> list[str]:
    return [_line(points, guard=edge in guards) for edge, points in found.lines.items()]


def _line(points: list[Point], *, guard: bool) -> str:
    (x, y), *rest = points
    path = [f"M{x:.1f} {y:.1f}"]
    for number, (to_x, to_y) in enumerate(rest, start=1):
        if points[number - 1][0] == to_x:
            path.append(f"L{to_x:.1f} {to_y:.1f}")
        else:
            middle = (y + to_y) / 2
            path.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    color = COLORS["magenta"] if guard else "currentColor"
    dash = ";stroke-dasharray:5 3" if guard else ""
    tip = f"M{x - 3.5:.1f} {y - 6:.1f}L{x:.1f} {y:.1f}L{x + 3.5:.1f} {y - 6:.1f}"
    return (
        f'<path d="{"".join(path)}" style="fill:none;stroke:{color};stroke-opacity:.6{dash}"/>'
        f'<path d="{tip}" style="fill:none;stroke:{color};stroke-opacity:.6"/>'
    )


def _node(shape: Shape, frame: Frame) -> str:
    sign, style = symbol_of(shape.status) if shape.status else ("", "")
    color = COLORS.get(style, COLORS[""])
    state = f", {shape.status}" if shape.status else ""
    about = f"{shape.path} ({shape.kind}{state})" + (f": {shape.note}" if shape.note else "")
    x, y = frame.x, frame.y
    width, height = frame.width, frame.height
    rounded = 3 if shape.kind == "checkpoint" else 6
    box = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{rounded}"'
    bold = ";font-weight:600" if shape.status in ("running", "open", "failed") else ""
    mark = (
        f'<text x="{x + 10:.1f}" y="{y + 19:.1f}" style="fill:{color}">{sign}</text>'
        if sign
        else ""
    )
    return (
        f"<g><title>{_text(about)}</title>"
        f'<rect {box} style="fill:{_PAGE};stroke:none"/>'
        f'<rect {box} style="fill:{color};fill-opacity:.12;stroke:{color};stroke-width:1.2"/>'
        f'{mark if sign else ""}<text x="{x + (26 if sign else 20):.1f}" y="{y + 19:.1f}" '
        f'style="fill:currentColor{bold}">{_text(shortened(_label(shape)))}</text></g>'
    )


def statuses(shapes: Sequence[Shape], found: Mapping[str, str]) -> list[Shape]:
    """Return the shapes with states by path."""
    return [shape._replace(status=found.get(shape.path, shape.status)) for shape in shapes]
