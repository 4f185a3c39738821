"""Versions of imported models, and the moves of their aliases, as they are recorded."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import NotFoundError
from mainspring.records.models import AliasMove, ModelVersion, Signature, pick_model, present
from mainspring.storage.nouns import Reading, Writing
from mainspring.storage.rows import json_or_null, json_text, readable
from mainspring.storage.sessions import Row
from mainspring.storage.statements import statements

_SQL = statements("models")


def no_model_version(name: str, number: int) -> NotFoundError:
    """The error for a version that is not there."""
    return NotFoundError(
        f"there is no model version {name}@v{number}", hint="`mainspring models list` lists them"
    )


def _row(version: ModelVersion) -> Row:
    ref = version.ref
    return (
        version.model, version.number, version.digest, ref.digest, ref.size, ref.format, ref.type,
        int(ref.data_only), version.created, version.files, version.size, version.licence,
        version.origin, json_text(version.digests), json_or_null(version.signature),
    )  # fmt: skip


@readable
def _version_of(row: Row) -> ModelVersion:
    return ModelVersion(
        model=row[0],
        number=row[1],
        digest=row[2],
        ref=ArtifactRef(
            digest=row[3], size=row[4], format=row[5], type=row[6], data_only=bool(row[7])
        ),
        created=row[8],
        files=row[9],
        size=row[10],
        licence=row[11],
        origin=row[12],
        digests=msgspec.json.decode(row[13], type=tuple[str, ...]),
        signature=None if row[14] is None else msgspec.json.decode(row[14], type=Signature),
    )


def _versions_of(rows: Iterable[Row]) -> list[ModelVersion]:
    return [_version_of(row) for row in rows]


class ModelReader(Reading):
    """Implements records.models.ModelReads."""

    def model_version(self, name: str, wanted: str | None = None) -> ModelVersion:
        found = self.model_versions(name)
        others = [] if found else [row[0] for row in self._db.rows(_SQL["names"])]
        aliases = present(self.alias_moves(name)) if wanted is not None else {}
        return pick_model(name, wanted, found, aliases, others)

    def model_versions(self, name: str) -> list[ModelVersion]:
        return _versions_of(self._db.rows(_SQL["versions"], (name,)))

    def models(self) -> list[ModelVersion]:
        return _versions_of(self._db.rows(_SQL["newest_of_all"]))

    def alias_moves(self, name: str) -> list[AliasMove]:
        return [
            AliasMove(model=name, alias=alias, number=number, at=at)
            for alias, number, at in self._db.rows(_SQL["moves"], (name,))
        ]


class ModelWriter(Writing):
    """Implements records.models.ModelWrites."""

    def newest_model_version(self, name: str) -> ModelVersion | None:
        self._db.change(_SQL["hold"], (name,))
        row = self._db.row(_SQL["newest"], (name,))
        return None if row is None else _version_of(row)

    def add_model_version(self, version: ModelVersion) -> ModelVersion:
        self._db.change(_SQL["hold"], (version.model,))
        [(number,)] = self._db.rows(_SQL["count_up"], (version.model,))
        made = msgspec.structs.replace(version, number=number)
        self._db.change(_SQL["add"], _row(made))
        return made

    def move_alias(self, move: AliasMove) -> None:
        self._db.change(_SQL["hold"], (move.model,))
        if self._db.row(_SQL["exists"], (move.model, move.number)) is None:
            raise no_model_version(move.model, move.number)
        self._db.change(_SQL["move"], (move.model, move.alias, move.number, move.at))
