"""Which runs go, and what nobody needs, in a temporary file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.contracts.store_builders import a_run

from mainspring.records.status import RunStatus
from mainspring.storage.catalogue import Catalogue


@pytest.fixture
def known() -> Iterator[Catalogue]:
    with Catalogue() as opened:
        yield opened


LISTS = "list".__eq__


def ended(name: str, at: float, **more: object):
    return a_run(name, created=at, ended=at + 1, status=RunStatus.SUCCEEDED, **more)


def test_old_runs_go_but_for_the_newest_and_what_is_reused(known: Catalogue) -> None:
    known.add_runs(ended(f"r{n}", float(n)) for n in range(6))
    known.add_runs([ended("other", 0.0, pipeline="other"), ended("r0", 0.0)])
    known.add_runs([a_run("waits", created=0.5)])
    known.add_sources([("r5", "r1"), ("r2", "r0")])
    known.doom(4.5, 2)
    # r4 and r5 are the newest, r1 is what r5 has reused, r0 only what goes itself has.
    assert [run for run, _, _ in known.doomed()] == ["r3", "r2", "r0"]
    known.doom(100.0, 0)
    assert [run for run, _, _ in known.doomed()] == ["r5", "r4", "r3", "r2", "r1", "other", "r0"]


def test_sources_that_may_be_needed_soon(known: Catalogue) -> None:
    known.add_runs(ended(f"r{n}", float(n), snapshot=f"blake3:{n}") for n in range(3))
    known.add_runs([a_run("w", created=0.0, snapshot="blake3:waits")])
    assert known.directories() == {"blake3:2", "blake3:waits"}
    known.doom(100.0, 0)
    assert known.directories() == set(known.snapshots()) == {"blake3:waits"}


def test_what_only_runs_that_go_name_is_unknown(known: Catalogue) -> None:
    known.add_runs([ended("old", 0.0), ended("new", 1.0)])
    known.doom(100.0, 1)
    for _ in range(2):  # again is no error
        known.add_mentioned([
            ("old", "a", "json", 1), ("new", "b", "list", 2), ("old", "b", "list", 2),
            ("new", "c", "", 0),
        ], LISTS)  # fmt: skip
        known.add_attempts([("old", "x", True), ("new", "y", True), ("new", "z", False)])
    assert known.unknown(["a", "b", "c", "d"]) == {"a", "d"}
    assert known.attempts(["x", "y", "z", "none"]) == {"y": True, "z": False}
    assert list(known.take_holders()) == [("b", "list", 2)]
    known.add_mentioned([("new", "e", "list", 3), ("new", "f", "text", 3)], LISTS)
    assert list(known.take_holders()) == [("e", "list", 3)]


def test_waste_comes_in_parts_without_what_is_needed_since(known: Catalogue) -> None:
    known.add_waste(("blob", f"b{n}", 10, "why") for n in range(5))
    parts = known.waste(2)
    assert [name for _, name, _, _ in next(parts)] == ["b0", "b1"]
    known.add_blobs(["b1", "b3"])
    assert [name for _, name, _, _ in next(parts)] == ["b2", "b4"]
    assert next(parts, None) is None
    assert known.totals() == (3, 30)
