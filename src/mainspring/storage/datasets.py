"""Versions of datasets, as they are recorded."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.datasets import DatasetVersion, pick_version
from mainspring.records.errors import NotFoundError
from mainspring.storage.nouns import Reading, Writing
from mainspring.storage.rows import readable
from mainspring.storage.sessions import Row
from mainspring.storage.statements import statements

_SQL = statements("datasets")


def no_version(name: str, number: int) -> NotFoundError:
    """The error for a version that is not there."""
    return NotFoundError(
        f"there is no dataset version {name}@v{number}", hint="`mainspring data list` lists them"
    )


def _row(version: DatasetVersion) -> Row:
    ref = version.ref
    return (
        version.dataset, version.number, version.digest, ref.digest, ref.size, ref.format, ref.type,
        version.created, version.files, version.size, version.rows, version.labelled,
        version.profile, version.origin, version.message, int(version.pinned),
    )  # fmt: skip


@readable
def _version_of(row: Row) -> DatasetVersion:
    return DatasetVersion(
        dataset=row[0],
        number=row[1],
        digest=row[2],
        ref=ArtifactRef(digest=row[3], size=row[4], format=row[5], type=row[6]),
        created=row[7],
        files=row[8],
        size=row[9],
        rows=row[10],
        labelled=row[11],
        profile=row[12],
        origin=row[13],
        message=row[14],
        pinned=bool(row[15]),
    )


def _versions_of(rows: Iterable[Row]) -> list[DatasetVersion]:
    return [_version_of(row) for row in rows]


class DatasetReader(Reading):
    """Implements records.datasets.DatasetReads."""

    def dataset_version(self, name: str, wanted: str | None = None) -> DatasetVersion:
        found = _versions_of(
            self._db.rows(_SQL["newest" if wanted is None else "versions"], (name,))
        )
        others = [] if found else [row[0] for row in self._db.rows(_SQL["names"])]
        return pick_version(name, wanted, found, others)

    def dataset_versions(self, name: str) -> list[DatasetVersion]:
        return _versions_of(self._db.rows(_SQL["versions"], (name,)))

    def datasets(self) -> list[DatasetVersion]:
        return _versions_of(self._db.rows(_SQL["newest_of_all"]))


class DatasetWriter(Writing):
    """Implements records.datasets.DatasetWrites."""

    def newest_dataset_version(self, name: str) -> DatasetVersion | None:
        self._db.change(_SQL["hold"], (name,))
        row = self._db.row(_SQL["newest"], (name,))
        return None if row is None else _version_of(row)

    def add_dataset_version(self, version: DatasetVersion) -> DatasetVersion:
        self._db.change(_SQL["hold"], (version.dataset,))
        [(number,)] = self._db.rows(_SQL["count_up"], (version.dataset,))
        made = msgspec.structs.replace(version, number=number)
        self._db.change(_SQL["add"], _row(made))
        return made

    def change_dataset_version(self, version: DatasetVersion) -> None:
        ref = version.ref
        values = (
            ref.digest, ref.size, ref.format, ref.type, version.rows, version.labelled,
            version.profile, version.message, int(version.pinned), version.dataset, version.number,
        )  # fmt: skip
        if not self._db.change(_SQL["change"], values):
            raise no_version(version.dataset, version.number)

    def delete_dataset_version(self, name: str, number: int) -> None:
        if not self._db.change(_SQL["delete"], (name, number)):
            raise no_version(name, number)
