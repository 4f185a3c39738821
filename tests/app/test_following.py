"""Following logs: every attempt once, and a look that costs the same however large the run is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scale.instant import Failure, engine_of
from tests.scale.test_maps import Rows, over_numbers, plan_of, with_retries
from tests.scale.test_maps import project as scale_project

from mainspring.app import following
from mainspring.app.following import follow_logs
from mainspring.app.logs import Piece
from mainspring.app.project import Project
from mainspring.app.running import create_run
from mainspring.records.runs import Order

project = scale_project  # a fixture


class Scene:
    """A run of a map whose attempts print their id, turned and followed in turn."""

    def __init__(self, project: Project, chosen: Any, n: int, *, path: str | None = None) -> None:
        self.project = project
        self.printed: dict[str, bytes] = {}
        self.n = n
        self.run = create_run(project, plan_of(project, chosen))
        self.engine, self.executor = engine_of(project, self._make)
        self.engine.leases.hold(self.engine.id)
        self.pieces = follow_logs(project, self.run, path)

    def _make(self, order: Order) -> Any:
        folder = self.project.home / "attempts" / order.attempt
        folder.mkdir(parents=True)
        text = f"{order.attempt} says\n".encode()
        (folder / "log").write_bytes(text)
        self.printed[order.attempt] = text
        if "[" in order.path:
            index = int(order.path.partition("[")[2][:-1])
            if index % 5 == 4 and order.attempt.endswith(".1"):
                raise Failure("the first time")
            return 1
        return list(range(self.n))

    def turns(self) -> Iterator[None]:
        """The engine's turns, to the run's rest."""
        self.engine.start([self.run.id])
        yield
        while self.engine._runs:
            self.engine.turn(self.executor.wait(0))
            yield
        self.engine.leases.release(self.engine.id)


def look(scene: Scene, heard: dict[str, bytes]) -> None:
    """Take what the follower has to say until it says that there is no more for now."""
    for piece in scene.pieces:
        if piece is None:
            return
        add(heard, piece)


def add(heard: dict[str, bytes], piece: Piece) -> None:
    heard[piece.attempt] = heard.get(piece.attempt, b"") + piece.data


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks follow one another at once, and read small pages."""
    monkeypatch.setattr(following, "PAUSE", 0.0)
    monkeypatch.setattr(following, "AT_ONCE", 20)


@pytest.mark.parametrize("path", [None, "one"])
@pytest.mark.parametrize("every", [1, 7, 1000])
def test_every_attempt_is_heard_once(project: Project, path: str | None, every: int) -> None:
    scene = Scene(project, over_numbers, 150, path=path)
    heard: dict[str, bytes] = {}
    for number, _ in enumerate(scene.turns()):
        if number % every == 0:
            look(scene, heard)
    look(scene, heard)
    wanted = {a: t for a, t in scene.printed.items() if path is None or a != first(scene)}
    assert heard == wanted
    assert next(scene.pieces, "the end") == "the end"


def first(scene: Scene) -> str:
    """The attempt of the step before the map."""
    return next(iter(scene.printed))


def test_attempts_that_are_tried_again_are_heard(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.execution.transitions.back_off", lambda *_: 0.001)
    scene = Scene(project, with_retries, 60)
    heard: dict[str, bytes] = {}
    for number, _ in enumerate(scene.turns()):
        if number % 5 == 0:
            look(scene, heard)
    look(scene, heard)
    assert len(scene.printed) == 1 + 60 + 12
    assert heard == scene.printed


def test_a_log_that_grows_is_read_on(project: Project) -> None:
    scene = Scene(project, over_numbers, 3)
    heard: dict[str, bytes] = {}
    turns = scene.turns()
    next(turns)
    look(scene, heard)
    log: Path = project.home / "attempts" / first(scene) / "log"
    with log.open("ab") as file:
        file.write(b"more")
    look(scene, heard)
    assert heard[first(scene)].endswith(b" says\nmore")
    for _ in turns:
        pass
    look(scene, heard)
    assert heard[first(scene)].endswith(b" says\nmore")
    assert len(heard) == 4


def test_a_look_costs_the_same_in_a_large_map(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Rows(monkeypatch)
    each: list[list[float]] = []
    for n in (300, 1200):
        scene = Scene(project, over_numbers, n)
        heard: dict[str, bytes] = {}
        statements = rows = looks = 0
        for number, _ in enumerate(scene.turns()):
            if number % 10 == 0:
                counted.take()
                look(scene, heard)
                taken = counted.take()
                statements, rows, looks = statements + taken[0], rows + taken[1], looks + 1
        each.append([statements / looks, rows / looks])
        with project.store.write([scene.run.id]) as tx:
            tx.delete_run(scene.run.id)  # so that nothing of it is reused
    small, large = each
    assert large[0] < 1.2 * small[0]
    assert large[1] < 1.2 * small[1]
