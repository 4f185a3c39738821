"""Facts: what runs are found by, tags and notes included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mainspring.records.facts import Fact
from mainspring.storage.nouns import Reading, Writing
from mainspring.storage.rows import json_text
from mainspring.storage.runs import no_run
from mainspring.storage.statements import statements

_SQL = statements("metrics", "facts")
_RUN = statements("runs")["get"]


class FactReader(Reading):
    """Facts and notes as they are recorded."""

    def facts(self, runs: Sequence[str]) -> dict[str, dict[str, Fact]]:
        found: dict[str, dict[str, Fact]] = {run: {} for run in runs}
        for run, name, number, text in self._db.rows(_SQL["of_runs"], (json_text(list(runs)),)):
            found[run][name] = text if number is None else number
        return found

    def notes(self, runs: Sequence[str]) -> dict[str, str]:
        return dict(self._db.rows(_SQL["notes"], (json_text(list(runs)),)))


class FactWriter(Writing):
    """What people say of a run, at any time."""

    def set_tags(self, run: str, tags: Mapping[str, str | None]) -> None:
        self._check(run)
        for name, value in tags.items():
            if value is None:
                self._db.change(_SQL["remove"], (f"tags.{name}", run))
            else:
                self._db.change(_SQL["set"], (f"tags.{name}", None, value, None, run))

    def set_note(self, run: str, note: str) -> None:
        self._check(run)
        if note:
            self._db.change(_SQL["set_note"], (note, run))
        else:
            self._db.change(_SQL["remove_note"], (run,))

    def _check(self, run: str) -> None:
        if self._db.row(_RUN, (run,)) is None:
            raise no_run(run)
