from __future__ import annotations

from pathlib import Path

from tests.app.flows import pipeline, step

from mainspring.app.planning import make_plan
from mainspring.app.project import Project
from mainspring.app.running import create_run
from mainspring.execution.context import Event
from mainspring.interactive.progress import EVERY, Picture, Progress


class Cell:
    """What a cell shows: the first picture, and each that replaced it."""

    def __init__(self) -> None:
        self.pictures: list[Picture] = []

    def __call__(self, picture: Picture) -> Cell:
        self.update(picture)
        return self

    def update(self, obj: Picture) -> None:
        self.pictures.append(obj)


def test_it_is_drawn_now_and_then_and_at_the_end(project: Path) -> None:
    (project / "lib.py").write_text(
        "from mainspring import step\n@step\ndef a() -> int:\n    return 1\n"
    )
    opened = Project(project)
    _, snapshot = opened.snapshot()
    spec = pipeline(step("a", uses="lib:a"))
    run = create_run(opened, make_plan(opened, spec, snapshot, {})).id
    cell, times = Cell(), [0.0]
    progress = Progress(cell, lambda: times[0])
    progress.begin(opened, run)
    event = Event(run=run, path="a", status="running")
    progress.hear(event)
    assert len(cell.pictures) == 1
    times[0] = EVERY
    progress.hear(event)
    progress.hear(event)
    assert len(cell.pictures) == 2
    progress.stopping()
    progress.end()
    assert len(cell.pictures) == 3
    assert f"%mainspring resume {run}" in cell.pictures[-1]._repr_html_()
    assert repr(cell.pictures[0]) == f"run {run} of p: queued\n  · a ready"
    opened.close()
