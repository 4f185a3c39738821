"""Runs that were made elsewhere: putting them on record as they are, and where they came from."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.records.imports import Import
from mainspring.records.runs import Attempt, Task
from mainspring.storage.nouns import Reading, Writing
from mainspring.storage.rows import attempt_row, json_or_null
from mainspring.storage.statements import statements

_SQL = statements("imports")
_ATTEMPTS = statements("attempts")
_RESULTS = statements("results")


class ImportReader(Reading):
    """Where runs came from."""

    def imported(self, run: str) -> Import | None:
        row = self._db.row(_SQL["of_run"], (run,))
        if row is None:
            return None
        capsule, signer, signer_name, pickles, at = row[1:]
        return Import(
            run=run,
            capsule=capsule,
            signer=signer,
            signer_name=signer_name,
            pickles=bool(pickles),
            at=at,
        )


class ImportWriter(Writing):
    """What the records of a run hold that no turn of an engine here has written."""

    def add_import(self, found: Import) -> None:
        self._db.change(
            _SQL["add"],
            (found.run, found.capsule, found.signer, found.signer_name, found.pickles, found.at),
        )

    def restore(self, tasks: Sequence[Task], attempts: Sequence[Attempt]) -> None:
        self._db.many(
            _SQL["restore"],
            [
                (
                    task.total, task.expanded, task.tries, task.lost, task.attempts,
                    json_or_null(task.error), task.started, task.ended, task.id,
                )
                for task in tasks
            ],
        )  # fmt: skip
        self._db.many(_ATTEMPTS["add"], [attempt_row(attempt) for attempt in attempts])

    def add_divergences(self, run: str, found: Sequence[tuple[str, str, str]]) -> None:
        rows = [(run, task, output, source) for task, output, source in found]
        self._db.many(_RESULTS["diverged"], rows)
