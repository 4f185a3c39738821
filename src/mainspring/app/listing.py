"""The verb `runs`: runs as records to be printed."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from mainspring.app import views
from mainspring.app.project import Project
from mainspring.records.conditions import All, Compare, Condition, Field, Search, Some, fields_of
from mainspring.records.facts import Fact
from mainspring.records.runs import Run
from mainspring.records.status import RunStatus
from mainspring.records.stores import RunFilter
from mainspring.records.verdicts import Exactness
from mainspring.records.where import parse_order, parse_where

LOOKED_AT = 200
"""The newest runs, whose names a name is compared with that no run seems to have."""

_AT_WORK = (RunStatus.QUEUED, RunStatus.RUNNING)


def list_runs(project: Project, want: RunFilter) -> views.RunsView:
    """Return the runs that `want` describes, newest first."""
    return _views(project, project.store.read.runs(want))


def find_runs(project: Project, want: Search) -> views.RunsView:
    """Return the runs that `want` describes, in its order."""
    return _views(project, project.store.read.search(want))


def near_names(project: Project, want: Search) -> dict[str, str]:
    """Return names in a search that none of the last runs has, each with one like it that is
    there: what somebody may have meant who found nothing."""
    read = project.store.read
    runs = [run.id for run in read.runs(RunFilter(limit=LOOKED_AT))]
    there = sorted({name for facts in read.facts(runs).values() for name in facts})
    asked = {field.name for field in fields_of(want) if field.root == "facts"}
    near = {name: get_close_matches(name, there, 1) for name in sorted(asked - {*there})}
    return {name: found[0] for name, found in near.items() if found}


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
    facts, notes, verified = read.facts(names), read.notes(names), read.verified(names)
    found = [
        _view(project, run, facts[run.id], notes.get(run.id), verified.get(run.id)) for run in runs
    ]
    return views.RunsView(runs=found)


def run_view(project: Project, run: Run) -> views.RunView:
    """Return a run as it is shown."""
    read = project.store.read
    note, verified = read.notes([run.id]).get(run.id), read.verified([run.id]).get(run.id)
    return _view(project, run, read.facts([run.id])[run.id], note, verified)


def _view(
    project: Project,
    run: Run,
    facts: Mapping[str, Fact],
    note: str | None,
    verified: Exactness | None,
) -> views.RunView:
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
        verified=verified,
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
