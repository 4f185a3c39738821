"""The in-memory store's facts: what runs are found by, tags and notes included."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mainspring.records.conditions import Field, Search, evaluate
from mainspring.records.facts import Fact, number_fact
from mainspring.records.runs import Run
from mainspring.testing.state import State


class MemoryFacts:
    """Facts and notes as they are recorded."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._now = state

    def facts(self, runs: Sequence[str]) -> dict[str, dict[str, Fact]]:
        known = self._now().facts
        return {run: {name: fact for name, (fact, _) in known.get(run, {}).items()} for run in runs}

    def notes(self, runs: Sequence[str]) -> dict[str, str]:
        known = self._now().notes
        return {run: known[run] for run in runs if run in known}

    def search(self, want: Search) -> list[Run]:
        state = self._now()
        runs = [
            run
            for run in state.runs.values()
            if want.where is None or evaluate(want.where, lambda f, run=run: value(state, run, f))
        ]
        if want.order is None:
            runs.reverse()
            runs.sort(key=lambda run: run.created, reverse=True)
            return runs[: want.limit]
        if want.descending:
            runs.reverse()
        groups: list[list[tuple[Fact, Run]]] = [[], []]
        missing: list[Run] = []
        for run in runs:
            found = value(state, run, want.order)
            if found is None:
                missing.append(run)
            else:
                groups[isinstance(found, str)].append((found, run))
        for group in groups:
            group.sort(key=lambda item: item[0], reverse=want.descending)
        ordered = [run for group in groups for _, run in group]
        return (ordered + missing)[: want.limit]


def value(state: State, run: Run, field: Field) -> Fact | None:
    """What a run has of a field."""
    if field.root == "facts":
        return state.facts[run.id].get(field.name, (None, None))[0]
    if field.root == "task":
        for task, name, points in state.newest_series(run.id):
            if (task.path, name) == (field.name, field.metric):
                return number_fact(points[-1].value)
        return None
    if field.name == "note":
        return state.notes.get(run.id)
    if field.name == "duration":
        return None if run.ended is None else run.ended - run.created
    found = getattr(run, field.name)
    return str(found.value) if field.name == "status" else found


class MemoryAnnotations:
    """What people say of a run, and what tasks have logged."""

    _state: State

    def set_tags(self, run: str, tags: Mapping[str, str | None]) -> None:
        self._state.run(run)
        for name, value in tags.items():
            if value is None:
                facts = dict(self._state.facts[run])
                facts.pop(f"tags.{name}", None)
                self._state.facts[run] = facts
            else:
                set_fact(self._state, run, f"tags.{name}", value, None)

    def set_note(self, run: str, note: str) -> None:
        self._state.notes.pop(self._state.run(run).id, None)
        if note:
            self._state.notes[run] = note


def set_fact(state: State, run: str, name: str, fact: Fact, task: int | None) -> None:
    """Set a fact, unless a later task has set it."""
    facts = dict(state.facts.get(run, {}))
    _, by = facts.get(name, (fact, None))
    if task is None or by is None or task >= by:
        facts[name] = (fact, task)
    state.facts[run] = facts


def add_reused(state: State, run: str) -> None:
    """Give a run the metrics of the tasks that it has reused."""
    for task in state.of_run(run):
        source, _, path = (task.source or "").partition("/")
        if task.status.value == "reused" and task.index is None:
            for other, name, points in state.newest_series(source):
                if other.path == path:
                    fact = number_fact(points[-1].value)
                    set_fact(state, run, f"metrics.{name}", fact, task.id)
