"""The in-memory store's facts: what runs are found by, tags and notes included."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mainspring.records.facts import Fact, number_fact
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
