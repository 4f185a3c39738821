"""The in-memory store's models (the rest is in the contract that all stores pass)."""

from __future__ import annotations

from tests.contracts.store_builders import model_version

from mainspring.testing.models import versions_of
from mainspring.testing.state import State


def test_versions_of_one_model() -> None:
    state = State(models={1: model_version(), 2: model_version(model="other")})
    assert versions_of(state, "bert") == [model_version()]
    assert versions_of(state, "nope") == []
