"""The store's contract for verifications."""

from __future__ import annotations

import pytest
from tests.contracts.store_builders import a_run, filled

from mainspring.records.errors import NotFoundError
from mainspring.records.stores import Store
from mainspring.records.verdicts import (
    Change,
    Comparison,
    Exactness,
    OutputVerdict,
    Standing,
    Suspect,
    TaskVerdict,
    Trial,
    Verification,
)


def verification(run: str = "r1", **changes: object) -> Verification:
    change = Change(place="['loss']", what="1.0 became 1.5", absolute=0.5, relative=0.5)
    compared = Comparison(changes=(change,), count=1, numeric=True, absolute=0.5, relative=None)
    output = OutputVerdict(
        output="result", verdict=Exactness.DIFFERS, recorded="blake3:1", made="blake3:2",
        tolerance=1e-6, comparison=compared,
    )  # fmt: skip
    task = TaskVerdict(path="train[3]", verdict=Exactness.DIFFERS, outputs=(output,), seconds=1.5)
    trial = Trial(conditions="one thread", made=("a", "b"), as_recorded=0)
    suspect = Suspect(
        name="threads", standing=Standing.EXCLUDED, evidence="2 of 2", trials=(trial,), notes=("x",)
    )
    made = {
        "run": run, "at": 5.0, "verdict": Exactness.DIFFERS, "counts": {"differs": 1},
        "tasks": (task,), "first": "train[3]", "suspects": (suspect,), "where": "present",
        "hash_seed": 7, "seconds": 2.5, "tolerances": {"": 1e-6}, **changes,
    }  # fmt: skip
    return Verification(**made)  # type: ignore[arg-type]


class VerificationContract:
    def test_what_was_put_on_record_comes_back(self, store: Store) -> None:
        filled(store)
        with store.write() as tx:
            first = tx.add_verification(verification())
            second = tx.add_verification(verification(verdict=Exactness.IDENTICAL, tasks=()))
        assert second > first
        assert store.read.verifications("r1") == [
            verification(id=first),
            verification(verdict=Exactness.IDENTICAL, tasks=(), id=second),
        ]
        assert store.read.verifications("nope") == []

    def test_the_last_verdict_on_the_whole_run_counts(self, store: Store) -> None:
        filled(store)
        with store.write() as tx:
            tx.add_run(a_run("r2"), b"{}")
            tx.add_run(a_run("r3"), b"{}")
            tx.add_verification(verification())
            tx.add_verification(verification(verdict=Exactness.TOLERANCE))
            tx.add_verification(verification(verdict=Exactness.IDENTICAL, only=("train",)))
            tx.add_verification(verification("r2", verdict=Exactness.IDENTICAL))
        read = store.read
        assert read.verified(["r1", "r2", "r3", "nope"]) == {
            "r1": Exactness.TOLERANCE,
            "r2": Exactness.IDENTICAL,
        }
        assert read.verified(["r2"]) == {"r2": Exactness.IDENTICAL}
        assert read.verified([]) == {}

    def test_they_go_with_their_run(self, store: Store) -> None:
        filled(store)
        with store.write() as tx:
            tx.add_verification(verification())
            tx.delete_run("r1")
        assert store.read.verifications("r1") == []
        assert store.read.verified(["r1"]) == {}

    def test_a_run_that_is_not_there_has_none(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match="no run"), store.write() as tx:
            tx.add_verification(verification())
