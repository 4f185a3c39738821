"""The graph of a run, drawn in text: one line a task, one lane for each task that others wait for.

    ● split
    ├─● train
    └─└─● evaluate
        └─● accuracy
          ╘═● register        guarded by accuracy

A lane that a task waits for has a branch on its line (`├`, or `└` when it is the last), a lane
that is only crossed stays a `│`. Guards are double (`╞`, `╘`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from mainspring.app.views import EdgeView, RunDetail
from mainspring.cli import wording
from mainspring.cli.screen import Screen, clean

_BRANCH = {(False, False): "├", (False, True): "└", (True, False): "╞", (True, True): "╘"}


def draw(screen: Screen, detail: RunDetail) -> None:
    """Write the graph of a run."""
    status = {task.path: task.status for task in detail.tasks}
    for path, picture, guards in lines(detail.edges, [task.path for task in detail.tasks]):
        sign, style = wording.symbol_of(status[path])
        note = f"   guarded by {', '.join(guards)}" if guards else ""
        name = screen.paint(f"{sign} {clean(path)}", style)
        screen.line(f"{picture}{name}{screen.paint(clean(note), 'dim')}")


def lines(edges: list[EdgeView], paths: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (path, the picture left of it, its guards) for each task, upstream first."""
    before: dict[str, dict[str, bool]] = defaultdict(dict)
    left: dict[str, int] = defaultdict(int)
    for edge in edges:
        if edge.after in paths and edge.task in paths:
            before[edge.task][edge.after] = edge.guard
            left[edge.after] += 1
    lanes: list[str | None] = []
    for path in _in_order(paths, before):
        picture = _picture(lanes, before[path], left)
        for dep in before[path]:
            left[dep] -= 1
            if not left[dep]:
                lanes[lanes.index(dep)] = None
        while lanes and lanes[-1] is None:
            lanes.pop()
        yield path, picture, [dep for dep, guard in before[path].items() if guard]
        if left[path]:
            _give_lane(lanes, path, len(picture) // 2)


def _in_order(paths: list[str], before: dict[str, dict[str, bool]]) -> list[str]:
    """The paths as they came, but each after what it waits for (rounds were added later)."""
    done: dict[str, None] = {}
    waiting = list(paths)
    while waiting:
        ready = [path for path in waiting if all(dep in done for dep in before[path])]
        found = ready[0] if ready else waiting[0]
        done[found] = None
        waiting.remove(found)
    return list(done)


def _picture(lanes: list[str | None], deps: dict[str, bool], left: dict[str, int]) -> str:
    """Two cells a lane: the lane itself, and the way on to the task."""
    used = [place for place, lane in enumerate(lanes) if lane in deps]
    start = used[0] if used else len(lanes)
    parts: list[str] = []
    line = " "
    for place, lane in enumerate(lanes):
        if place in used and lane is not None:
            guard = deps[lane]
            line = "═" if guard else "─"
            parts.append(_BRANCH[guard, left[lane] == 1] + line)
        elif lane is not None:
            parts.append("│" + line)
        else:
            parts.append((line if place > start else " ") + line)
    return "".join(parts)


def _give_lane(lanes: list[str | None], path: str, place: int) -> None:
    """The lane of a task begins under its sign."""
    while len(lanes) <= place:
        lanes.append(None)
    lanes[place] = path
