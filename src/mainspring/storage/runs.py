"""Runs: their records, wishes, and how a person names them."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.records.errors import NotFoundError
from mainspring.records.facts import parameter_facts
from mainspring.records.runs import Run
from mainspring.records.status import RUN_ENDED, RunStatus, Wish
from mainspring.records.stores import RunFilter
from mainspring.storage.nouns import Reading, Writing
from mainspring.storage.rows import fact_row, run_of, run_row
from mainspring.storage.sessions import Row
from mainspring.storage.statements import statements

_SQL = statements("runs")
_FACTS = statements("metrics", "facts")


def no_run(text: str) -> NotFoundError:
    """The error for a run that is not there."""
    return NotFoundError(f"there is no run {text!r}", hint="`mainspring runs` lists them")


def pick_run(text: str, found: Sequence[Run]) -> Run:
    """The run that `text` (an id or its beginning) names among those that begin with it."""
    for run in found:
        if run.id == text:
            return run
    if not found or not text:
        raise no_run(text)
    if len(found) > 1:
        names = ", ".join(run.id for run in found[:5])
        more = ", ..." if len(found) > 5 else ""
        raise NotFoundError(
            f"{text!r} is the beginning of more than one run: {names}{more}",
            hint="give more of the id",
        )
    return found[0]


def no_latest() -> NotFoundError:
    """The error for `latest` in an empty store."""
    return NotFoundError("there are no runs yet", hint="`mainspring run` starts one")


class RunReader(Reading):
    """Runs as they are recorded."""

    def run(self, run: str) -> Run:
        row = self._db.row(_SQL["get"], (run,))
        if row is None:
            raise no_run(run)
        return run_of(row)

    def find_run(self, text: str) -> Run:
        if text == "latest":
            row = self._db.row(_SQL["latest"])
            if row is None:
                raise no_latest()
            return run_of(row)
        exact = self._db.rows(_SQL["get"], (text,))
        rows = exact or self._db.rows(_SQL["by_prefix"], (text, text + "\U0010ffff"))
        return pick_run(text, [run_of(row) for row in rows])

    def runs(self, want: RunFilter) -> list[Run]:
        status = f" {' '.join(want.status)} " if want.status else None
        values = {
            "pipeline": want.pipeline,
            "prefix": want.prefix or None,
            "status": status,
            "limit": want.limit,
        }
        return [run_of(row) for row in self._db.rows(_SQL["list"], values)]

    def spec(self, digest: str) -> bytes:
        row = self._db.row(_SQL["spec"], (digest,))
        if row is None:
            raise NotFoundError(f"there is no pipeline spec {digest!r}")
        return row[0]

    def driver(self, run: str) -> str | None:
        row = self._db.row(_SQL["driver"], (run,))
        if row is None:
            raise no_run(run)
        return row[0]


class RunWriter(Writing):
    """What is done to a run as a whole."""

    def add_run(self, run: Run, spec: bytes) -> None:
        self._db.change(_SQL["add_spec"], (run.spec, spec))
        self._db.change(_SQL["add"], run_row(run))
        facts = parameter_facts(run.parameters)
        self._db.many(_FACTS["add"], [fact_row(run.id, name, fact) for name, fact in facts.items()])

    def get_run(self, run: str) -> Run:
        row = self._db.row(_SQL["get"], (run,))
        if row is None:
            raise no_run(run)
        return run_of(row)

    def move_run(self, run: str, status: RunStatus, at: float, reason: str | None = None) -> None:
        values = {
            "run": run,
            "status": status.value,
            "reason": reason,
            "started": at if status is RunStatus.RUNNING else None,
            "ended": at if status in RUN_ENDED else None,
        }
        if not self._db.change(_SQL["move"], values):
            raise no_run(run)
        if status in RUN_ENDED:
            self._db.later(_FACTS["add_reused"], (run,))

    def set_wish(self, run: str, wish: Wish) -> None:
        if not self._db.change(_SQL["set_wish"], (wish.value, run)):
            raise no_run(run)

    def set_driver(self, run: str, engine: str | None) -> None:
        if not self._db.change(_SQL["set_driver"], (engine, run)):
            raise no_run(run)

    def delete_run(self, run: str) -> None:
        for sql in _DELETIONS:
            self._db.change(sql, (run,))
        row: Row | None = self._db.row(_SQL["delete"], (run,))
        if row is None:
            raise no_run(run)
        self._db.change(_SQL["delete_spec"], {"spec": row[0]})


_DELETIONS = (
    statements("results")["delete"],
    statements("results")["delete_divergences"],
    statements("metrics")["delete_points"],
    statements("metrics")["delete_series"],
    statements("metrics")["delete_media"],
)
