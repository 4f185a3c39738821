"""The verb `runs`: runs as records to be printed."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

from mainspring.app import views
from mainspring.app.project import Project
from mainspring.records.conditions import All, Compare, Condition, Field, Search, Some
from mainspring.records.facts import Fact
from mainspring.records.runs import Run
from mainspring.records.status import RunStatus
from mainspring.records.stores import RunFilter
from mainspring.records.where import parse_order, parse_where

_AT_WORK = (RunStatus.QUEUED, RunStatus.RUNNING)


def list_runs(project: Project, want: RunFilter) -> views.RunsView:
    """Return the runs that `want` describes, newest first."""
    return _views(project, project.store.read.runs(want))


def find_runs(project: Project, want: Search) -> views.RunsView:
    """Return the runs that `want` describes, in its order."""
    return _views(project, project.store.read.search(want))


def make_search(where: str | None, order: str | None, want: RunFilter) -> Search:
    """Return the search for runs of which a condition holds, and that fit a filter too.

    Without a condition all pass, without an order the newest come first. Raises SearchError.
    """
    parts: list[Condition] = [] if where is None else [parse_where(where)]
    if want.pipeline is not None:
        parts.append(Compare(Field("run", "pipeline", "text"), "==", want.pipeline))
    if want.status:
        status = Field("run", "status", "text")
        parts.append(Some(tuple(Compare(status, "==", word.value) for word in want.status)))
    field, descending = (None, False) if order is None else parse_order(order)
    return Search(All(tuple(parts)) if parts else None, field, descending, want.limit)


def _views(project: Project, runs: Sequence[Run]) -> views.RunsView:
    read = project.store.read
    names = [run.id for run in runs]
    facts, notes = read.facts(names), read.notes(names)
    found = [_view(project, run, facts[run.id], notes.get(run.id)) for run in runs]
    return views.RunsView(runs=found)


def run_view(project: Project, run: Run) -> views.RunView:
    """Return a run as it is shown."""
    read = project.store.read
    return _view(project, run, read.facts([run.id])[run.id], read.notes([run.id]).get(run.id))


def _view(project: Project, run: Run, facts: Mapping[str, Fact], note: str | None) -> views.RunView:
    end = run.ended or (time.time() if run.status.value in ("running", "queued") else None)
    return views.RunView(
        id=run.id,
        pipeline=run.pipeline,
        status=run.status.value,
        wish=run.wish.value,
        parameters=run.parameters,
        seed=run.seed,
        spec=run.spec,
        snapshot=run.snapshot,
        created=run.created,
        started=run.started,
        ended=run.ended,
        seconds=end - run.created if end else None,
        parent=run.parent,
        reason=run.reason,
        sources=run.sources,
        working=run.status in _AT_WORK and project.is_driven(run.id),
        metrics={name: _json_number(fact) for name, fact in _of(facts, "metrics.")},
        data={name: str(fact) for name, fact in _of(facts, "data.")},
        tags={name: str(fact) for name, fact in _of(facts, "tags.")},
        note=note,
        environment=run.environment,
    )


def _of(facts: Mapping[str, Fact], prefix: str) -> list[tuple[str, Fact]]:
    return [
        (name.removeprefix(prefix), fact)
        for name, fact in sorted(facts.items())
        if name.startswith(prefix)
    ]


def _json_number(fact: Fact) -> float | None:
    return fact if isinstance(fact, float) and math.isfinite(fact) else None
