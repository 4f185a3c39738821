"""Where a run is verified."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.app.flows import pipeline, recorded, step, write

from mainspring.app.environments import environment_of
from mainspring.app.project import Project
from mainspring.app.rebuilding import PRESENT, place_of
from mainspring.records.environments import encode
from mainspring.records.errors import EnvironmentBuildError
from mainspring.records.runs import Run


@pytest.fixture
def opened(project: Path) -> Project:
    return Project(project)


@pytest.fixture
def run(opened: Project) -> Run:
    write(opened.root, "def one() -> int:\n    return 1\n")
    return recorded(opened, pipeline(step("one")))


def test_here_is_the_present_environment_and_nothing_is_built(opened: Project, run: Run) -> None:
    place = place_of(opened, run, here=True)
    assert (place.python, place.name) == (None, PRESENT)
    assert not place.known.is_recorded
    assert not (opened.home / "environments").exists()


def test_what_can_not_be_built_is_named_with_what_to_do(opened: Project, run: Run) -> None:
    with pytest.raises(EnvironmentBuildError, match="was not recorded") as caught:
        place_of(opened, msgspec.structs.replace(run, environment=None), here=False)
    assert caught.value.hint is not None
    assert "--here" in caught.value.hint
    environment = msgspec.structs.replace(
        environment_of(opened, run), unbuildable={"own": "an editable install"}
    )
    digest, _ = opened.blobs.put(encode(environment))
    changed = msgspec.structs.replace(run, environment=digest)
    with pytest.raises(EnvironmentBuildError, match="can't bring back own: an editable install"):
        place_of(opened, changed, here=False)
    other = place_of(opened, changed, here=True).known.other
    assert other is not None
    assert other() is None
