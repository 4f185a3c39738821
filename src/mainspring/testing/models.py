"""The in-memory store's models."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mainspring.records.models import AliasMove, ModelVersion, pick_model, present
from mainspring.storage.models import no_model_version
from mainspring.testing.state import State


class MemoryModels:
    """What is asked about models (records.models.ModelReads)."""

    _now: Callable[[], State]

    def model_version(self, name: str, wanted: str | None = None) -> ModelVersion:
        names = sorted({version.model for version in self._now().models.values()})
        aliases = present(self.alias_moves(name))
        return pick_model(name, wanted, self.model_versions(name), aliases, names)

    def model_versions(self, name: str) -> list[ModelVersion]:
        return versions_of(self._now(), name)

    def models(self) -> list[ModelVersion]:
        newest = {version.model: version for version in self._now().models.values()}
        return [newest[name] for name in sorted(newest)]

    def alias_moves(self, name: str) -> list[AliasMove]:
        return [move for move in self._now().aliases if move.model == name]


class MemoryModelChanges:
    """What is done to models (records.models.ModelWrites)."""

    _state: State

    def newest_model_version(self, name: str) -> ModelVersion | None:
        return next(reversed(versions_of(self._state, name)), None)

    def add_model_version(self, version: ModelVersion) -> ModelVersion:
        state = self._state
        number = len(versions_of(state, version.model)) + 1
        made = msgspec.structs.replace(version, number=number)
        state.models[max(state.models, default=0) + 1] = made
        return made

    def move_alias(self, move: AliasMove) -> None:
        numbers = {version.number for version in versions_of(self._state, move.model)}
        if move.number not in numbers:
            raise no_model_version(move.model, move.number)
        self._state.aliases.append(move)


def versions_of(state: State, name: str) -> list[ModelVersion]:
    """All versions of a model, the first one first."""
    return [version for version in state.models.values() if version.model == name]
