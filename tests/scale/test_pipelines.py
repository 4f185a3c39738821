"""Tracing, planning, recording, running and showing a pipeline cost the same for every step."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.scale import shapes
from tests.scale.instant import drive_at_once

from mainspring import pipeline
from mainspring.app.planning import Planned, make_plan
from mainspring.app.project import Project
from mainspring.app.running import create_run
from mainspring.app.showing import run_detail
from mainspring.planning.graph import flatten
from mainspring.records.errors import DefinitionError
from mainspring.records.status import RunStatus

SIZES = (200, 400)
GROWTH = 2.2
"""Twice the steps may cost this many times the work; a quadratic part would make it towards 4."""

every_shape = pytest.mark.parametrize("shape", list(shapes.SHAPES))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that has `tests.scale.shapes` as its own module."""
    (tmp_path / "mainspring.toml").write_text('[project]\nname = "scale"\n')
    place = tmp_path / "tests" / "scale"
    place.mkdir(parents=True)
    shutil.copy(shapes.__file__, place)
    return Project(tmp_path)


def plan_of(project: Project, spec: Any) -> Planned:
    _, snapshot = project.snapshot([""])
    return make_plan(project, spec, snapshot, {})


def growth(work: Callable[[int], Any]) -> float:
    """How many times the lines of Python that twice the size runs."""
    small, large = (shapes.lines_run(lambda n=n: work(n)) for n in SIZES)
    return large / small


@every_shape
def test_tracing_is_linear(shape: str) -> None:
    made = shapes.SHAPES[shape]
    made(10).spec  # noqa: B018 (what is looked up once is looked up now)
    assert growth(lambda n: made(n).spec) < GROWTH


@every_shape
def test_the_spec_and_its_edges_are_linear(shape: str) -> None:
    for n in SIZES:
        spec = shapes.SHAPES[shape](n).spec
        assert len(msgspec.json.encode(spec)) < 300 * n + 2000
        edges = sum(len(node.deps) for node in flatten(spec, {}).nodes.values())
        assert edges < 2.5 * n + 10


@every_shape
def test_planning_recording_and_showing_are_linear(shape: str, project: Project) -> None:
    specs = {n: shapes.SHAPES[shape](n).spec for n in SIZES}
    planned = {n: plan_of(project, spec) for n, spec in specs.items()}
    assert growth(lambda n: plan_of(project, specs[n])) < GROWTH
    runs = {n: create_run(project, planned[n]) for n in SIZES}
    assert growth(lambda n: create_run(project, planned[n])) < GROWTH
    assert growth(lambda n: run_detail(project, runs[n])) < GROWTH
    project.close()


@every_shape
def test_running_is_linear_and_all_is_reused_afterwards(shape: str, project: Project) -> None:
    specs = {n: shapes.SHAPES[shape](n).spec for n in SIZES}

    def run(n: int) -> int:
        made = create_run(project, plan_of(project, specs[n]))
        assert drive_at_once(project, made) is RunStatus.SUCCEEDED
        counts = project.store.read.counts(made.id)
        return sum(sum(found.values()) for found in counts.values())

    assert growth(run) < GROWTH  # the first part of the longer chain is reused
    before = shapes.lines_run(lambda: run(SIZES[0]))
    assert shapes.lines_run(lambda: run(SIZES[0])) < 1.1 * before
    project.close()


def test_a_chain_of_five_thousand_meets_no_limit(project: Project) -> None:
    made = create_run(project, plan_of(project, shapes.chain(5000).spec))
    assert len(run_detail(project, made).tasks) == 5001
    project.close()


def test_groups_may_be_nested_a_hundred_deep() -> None:
    def nested(depth: int) -> Any:
        @pipeline(name=f"level_{depth}")
        def level(x: int = 0) -> int:
            return nested(depth - 1)(shapes.inc(x)) if depth else shapes.inc(x)

        return level

    assert len(flatten(nested(99).spec, {"x": 0}).nodes) == 100
    with pytest.raises(DefinitionError, match="nested more than 100 deep"):
        nested(1000).spec  # noqa: B018
