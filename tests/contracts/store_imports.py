"""The store's contract for runs that were made elsewhere."""

from __future__ import annotations

import msgspec
import pytest
from tests.contracts.store_builders import S, a_run, attempt, new, ref

from mainspring.records.errors import ConflictError
from mainspring.records.imports import Import
from mainspring.records.runs import TaskError, Usage
from mainspring.records.status import AttemptStatus, RunStatus
from mainspring.records.stores import Store

ORIGIN = Import(
    run="r1", capsule="ab" * 32, signer="sha256:cd", signer_name="alice", pickles=True, at=50.0
)


class ImportContract:
    def test_a_run_says_where_it_came_from(self, store: Store) -> None:
        with store.write() as tx:
            tx.add_run(a_run(status=RunStatus.SUCCEEDED, ended=12.0), b"{}")
            tx.add_import(ORIGIN)
        assert store.read.imported("r1") == ORIGIN
        assert store.read.imported("r2") is None
        with store.write() as tx:
            tx.delete_run("r1")
        assert store.read.imported("r1") is None

    def test_a_run_comes_from_one_place(self, store: Store) -> None:
        with store.write() as tx:
            tx.add_run(a_run(), b"{}")
            tx.add_import(ORIGIN)

        def again() -> None:
            with store.write() as tx:
                tx.add_import(ORIGIN)

        with pytest.raises(ConflictError):
            again()
        assert store.read.imported("r1") == ORIGIN

    def test_tasks_are_restored_as_they_were(self, store: Store) -> None:
        error = TaskError(kind="ValueError", message="unlucky", where="steps.py:3")
        with store.write() as tx:
            tx.add_run(a_run(status=RunStatus.FAILED), b"{}")
            done = new("a", S.SUCCEEDED, at=9.0, outputs={"result": ref()}, key="k")
            ids = tx.add_tasks("r1", [done, new("b", S.FAILED, at=11.0)])
            one, two = (tx.task(found) for found in ids)
            changed = [
                msgspec.structs.replace(one, started=3.5, ended=9.5, attempts=1, total=2),
                msgspec.structs.replace(two, error=error, tries=2, lost=1, attempts=3, expanded=4),
            ]
            tries = [
                attempt(
                    ids[0], "x", status=AttemptStatus.SUCCEEDED, ended=9.5, usage=Usage(wall=6.0)
                ),
                attempt(ids[1], "y", status=AttemptStatus.FAILED, ended=11.0, error=error),
            ]
            tx.restore(changed, tries)
        assert store.read.tasks("r1") == changed
        assert [a for found in ids for a in store.read.attempts(found)] == tries

    def test_divergences_are_restored(self, store: Store) -> None:
        found = [("train", "model", "r0/train"), ("train", "scores", "r0/train")]
        with store.write() as tx:
            tx.add_run(a_run(), b"{}")
            tx.add_divergences("r1", found)
        assert store.read.divergences("r1") == found
        assert store.read.divergences("r2") == []
