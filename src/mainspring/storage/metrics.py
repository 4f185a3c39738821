"""Metrics: scalar points by series, each with a summary kept up to date, and media."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.records.metrics import Medium, MetricSummary, Point
from mainspring.storage.nouns import Reading, Writing
from mainspring.storage.rows import number
from mainspring.storage.statements import NO_LIMIT, statements

_SQL = statements("metrics")
_FACTS = statements("metrics", "facts")
_ATTEMPTS = statements("attempts")


class MetricReader(Reading):
    """Metrics of the newest attempt that logged them."""

    def metrics(
        self, run: str, *, task: int | None = None, limit: int | None = None
    ) -> list[MetricSummary]:
        return [
            MetricSummary(
                task=task,
                name=name,
                last=number(last),
                count=count,
                minimum=number(minimum),
                maximum=number(maximum),
                step=step,
            )
            for task, name, last, count, minimum, maximum, step in self._db.rows(
                _SQL["summaries"], _which(run, task, limit)
            )
        ]

    def points(self, run: str, task: str, name: str) -> list[Point]:
        rows = self._db.rows(_SQL["points"], {"run": run, "path": task, "name": name})
        return [Point(name=name, value=number(value), step=step, at=at) for value, step, at in rows]

    def media(self, run: str, *, task: int | None = None, limit: int | None = None) -> list[Medium]:
        return [
            Medium(
                task=row[0],
                attempt=row[1],
                name=row[2],
                kind=row[3],
                digest=row[4],
                size=row[5],
                mime=row[6],
                step=row[7],
            )
            for row in self._db.rows(_SQL["media"], _which(run, task, limit))
        ]


def _which(run: str, task: int | None, limit: int | None) -> dict[str, str | int | None]:
    return {"run": run, "task": task, "limit": NO_LIMIT if limit is None else limit}


class MetricWriter(Writing):
    """Ingesting what attempts log."""

    def add_points(
        self, run: str, task: int, attempt: str, points: Sequence[Point], offset: int
    ) -> None:
        series: dict[str, list[Point]] = {}
        for point in points:
            series.setdefault(point.name, []).append(point)
        for name, batch in series.items():
            self._extend(run, task, attempt, name, batch)
        self._db.change(_ATTEMPTS["ingest"], (offset, attempt))

    def _extend(self, run: str, task: int, attempt: str, name: str, batch: list[Point]) -> None:
        row = self._db.row(_SQL["series"], (attempt, name))
        if row is None:
            (added,) = self._db.rows(_SQL["add_series"], (run, task, attempt, name))
            row = (added[0], 0, None, None, None, None)
        series, count, _, _, least, most = row
        self._db.many(
            _SQL["add_point"],
            [(series, i, p.step, p.value, p.at) for i, p in enumerate(batch, count)],
        )
        known = [v for v in (least, most) if v is not None]
        known += [p.value for p in batch if p.value == p.value]  # not NaN, which has no order
        least, most = min(known, default=None), max(known, default=None)
        last = batch[-1]
        values = (count + len(batch), last.value, last.step, least, most, series)
        self._db.change(_SQL["summarise"], values)
        number, text = (None, "nan") if last.value != last.value else (last.value, None)
        self._db.later(_FACTS["set"], (f"metrics.{name}", number, text, task, run))

    def points_offset(self, attempt: str) -> int:
        row = self._db.row(_ATTEMPTS["ingested"], (attempt,))
        return 0 if row is None else row[0]

    def add_media(self, run: str, task: int, media: Sequence[Medium]) -> None:
        self._db.many(
            _SQL["add_medium"],
            [
                (run, task, m.attempt, m.name, m.kind, m.digest, m.size, m.mime, m.step)
                for m in media
            ],
        )
