"""The in-memory store's datasets."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mainspring.records.datasets import DatasetVersion, pick_version
from mainspring.storage.datasets import no_version
from mainspring.testing.state import State


class MemoryDatasets:
    """What is asked about datasets (records.datasets.DatasetReads)."""

    _now: Callable[[], State]

    def dataset_version(self, name: str, wanted: str | None = None) -> DatasetVersion:
        names = sorted({version.dataset for version in self._now().versions.values()})
        return pick_version(name, wanted, self.dataset_versions(name), names)

    def dataset_versions(self, name: str) -> list[DatasetVersion]:
        return versions_of(self._now(), name)

    def datasets(self) -> list[DatasetVersion]:
        newest = {v.dataset: v for v in self._now().versions.values()}
        return [newest[name] for name in sorted(newest)]

    def of_datasets(self, first: int, last: int) -> list[tuple[str, str, str, int]]:
        """The blobs that versions with ids in a range speak of, as in `Mentioned`."""
        found = [v for n, v in self._now().versions.items() if first <= n < last]
        blobs = [("", v.ref.digest, v.ref.format, v.ref.size) for v in found]
        return blobs + [("", v.profile, "", 0) for v in found if v.profile is not None]


class MemoryDatasetChanges:
    """What is done to datasets (records.datasets.DatasetWrites)."""

    _state: State

    def newest_dataset_version(self, name: str) -> DatasetVersion | None:
        return next(reversed(versions_of(self._state, name)), None)

    def add_dataset_version(self, version: DatasetVersion) -> DatasetVersion:
        state = self._state
        state.datasets[version.dataset] = state.datasets.get(version.dataset, 0) + 1
        made = msgspec.structs.replace(version, number=state.datasets[version.dataset])
        state.versions[max(state.versions, default=0) + 1] = made
        return made

    def change_dataset_version(self, version: DatasetVersion) -> None:
        place = self._place(version.dataset, version.number)
        self._state.versions[place] = msgspec.structs.replace(
            self._state.versions[place],
            ref=version.ref,
            rows=version.rows,
            labelled=version.labelled,
            profile=version.profile,
            message=version.message,
            pinned=version.pinned,
        )

    def delete_dataset_version(self, name: str, number: int) -> None:
        del self._state.versions[self._place(name, number)]

    def _place(self, name: str, number: int) -> int:
        for place, version in self._state.versions.items():
            if (version.dataset, version.number) == (name, number):
                return place
        raise no_version(name, number)


def versions_of(state: State, name: str) -> list[DatasetVersion]:
    """All versions of a dataset, the first one first."""
    return [version for version in state.versions.values() if version.dataset == name]
