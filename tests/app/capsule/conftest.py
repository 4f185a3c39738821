"""One run and its capsule for all tests here; none of them changes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.app.capsule.world import World, make_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("world"))
    yield made
    made.project.close()
