"""Results by key: the cache, its divergences, and what planning asks of the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.plan import Cached
from mainspring.records.source import Static
from mainspring.records.stores import KeyParts
from mainspring.storage.nouns import Both, S
from mainspring.storage.rows import cached_of, cached_row, json_text, key_parts_of
from mainspring.storage.sessions import ChangeSession, Session
from mainspring.storage.statements import statements

_SQL = statements("results")


def differing(one: Mapping[str, ArtifactRef], other: Mapping[str, ArtifactRef]) -> list[str]:
    """The outputs whose digests differ, or that only one of two results has."""
    return [
        name
        for name in {**one, **other}
        if name not in one or name not in other or one[name].digest != other[name].digest
    ]


def comparable(earlier: Sequence[Cached], now: Cached) -> Cached | None:
    """The first result that `now` must equal: of the same project files, and pure as it is."""
    if now.impure:
        return None
    return next((one for one in earlier if one.reads == now.reads and not one.impure), None)


class History(Both[S]):
    """What planning reads of the past; inside a transaction, its own changes included."""

    def lookup(self, key: str) -> Sequence[Cached]:
        return [cached_of(row) for row in self._db.rows(_SQL["lookup"], (key,))]

    def previous(self, pipeline: str, path: str) -> KeyParts | None:
        return key_parts_of(self._db.row(_SQL["previous"], (pipeline, path)))

    def expected(self, pipeline: str) -> Mapping[str, float]:
        return {node: wall for node, wall in self._db.rows(_SQL["expected"], (pipeline,))}


class ResultReader(History[Session]):
    """Keys and divergences as they are recorded."""

    def key_parts(self, task: int) -> KeyParts | None:
        return key_parts_of(self._db.row(_SQL["key_parts"], (task,)))

    def divergences(self, run: str) -> list[tuple[str, str, str]]:
        rows = self._db.rows(_SQL["divergences"], (run,))
        return [(task, output, source) for task, output, source in rows]


class ResultWriter(History[ChangeSession]):
    """Recording results."""

    def add_static(self, digest: str, static: Static) -> None:
        self._db.later(_SQL["add_static"], (digest, json_text(static)))

    def add_result(self, cached: Cached) -> str | None:
        first = comparable(self.lookup(cached.key), cached)
        self._db.later(_SQL["add"], cached_row(cached))
        names = differing(first.outputs, cached.outputs) if first is not None else []
        if first is None or not names:
            return None
        source = f"{first.run}/{first.task}"
        self._db.many(_SQL["diverged"], [(cached.run, cached.task, n, source) for n in names])
        return source
