"""The store's contract for finding artifacts in all runs."""

from __future__ import annotations

from tests.contracts.store_builders import S, filled, new, ref

from mainspring.records.stores import Store

COMMON = "0123456789ab"
ONE = COMMON + "0" * 52
TWO = COMMON + "f" * 52
OTHER = "fedcba987654" + "0" * 52


class ArtifactContract:
    def test_makers_of_an_artifact_in_all_runs(self, store: Store) -> None:
        made = {"result": ref(ONE), "same": ref(ONE)}
        first, _ = filled(
            store,
            new("a", S.REUSED, outputs=made),
            new("b", S.REUSED, outputs={"result": ref(OTHER)}),
        )
        second, third = filled(
            store,
            new("a", S.REUSED, outputs={"x": ref(OTHER), "y": ref(ONE)}),
            new("c", S.REUSED, outputs={"result": ref(TWO)}),
            run="r2",
        )
        ids = {
            digits: [task.id for task in store.read.makers(digits, 100)]
            for digits in (ONE, f"blake3:{ONE}", TWO, COMMON, COMMON + "f", COMMON[:6], "0" * 12)
        }
        assert ids == {
            ONE: [first, second],
            f"blake3:{ONE}": [first, second],
            TWO: [third],
            COMMON: [first, second, third],
            COMMON + "f": [third],
            COMMON[:6]: [first, second, third],
            "0" * 12: [],
        }
        assert [task.id for task in store.read.makers(COMMON, 2)] == [first, second]
        found = store.read.makers(TWO, 1)[0]
        assert (found.run, found.path, found.status) == ("r2", "c", S.REUSED)

    def test_a_deleted_run_has_made_nothing(self, store: Store) -> None:
        filled(store, new("a", S.REUSED, outputs={"result": ref(ONE)}))
        with store.write() as tx:
            tx.delete_run("r1")
        assert store.read.makers(ONE, 9) == []
