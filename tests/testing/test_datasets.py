"""The in-memory store's datasets (the rest is in the contract that all stores pass)."""

from __future__ import annotations

from tests.contracts.store_builders import dataset_version

from mainspring.testing.datasets import versions_of
from mainspring.testing.state import State


def test_versions_of_one_dataset() -> None:
    state = State(versions={1: dataset_version(), 2: dataset_version(dataset="other")})
    assert versions_of(state, "digits") == [dataset_version()]
    assert versions_of(state, "nope") == []
