"""The store's contract for datasets."""

from __future__ import annotations

import msgspec
import pytest
from tests.contracts.store_builders import dataset_version, filled

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.datasets import DatasetVersion
from mainspring.records.errors import NotFoundError
from mainspring.records.stores import Store


def add(store: Store, *versions: DatasetVersion) -> list[DatasetVersion]:
    with store.write() as tx:
        return [tx.add_dataset_version(version) for version in versions]


class DatasetContract:
    def test_a_version_comes_back_as_it_was(self, store: Store) -> None:
        full = dataset_version(rows=7, labelled=5, profile="blake3:p", message="é", pinned=True)
        [one] = add(store, full)
        assert one == msgspec.structs.replace(full, number=1)
        [two] = add(store, dataset_version("2"))
        assert (two.number, two.name) == (2, "digits@v2")
        assert store.read.dataset_versions("digits") == [one, two]
        assert store.read.dataset_versions("nope") == []
        [other] = add(store, dataset_version(dataset="animals"))
        assert store.read.datasets() == [other, two]

    def test_versions_by_what_people_write(self, store: Store) -> None:
        digests = ["1" * 64, "1" * 40 + "2" * 24, "a" * 64, "1" * 64]
        one, two, three, four = add(store, *[dataset_version(digest) for digest in digests])
        read = store.read
        assert read.dataset_version("digits") == four
        for wanted, version in (
            ("v1", one), ("2", two), ("v4", four), ("aaaaaa", three),
            ("blake3:" + "a" * 64, three), ("1" * 41, four), ("1" * 40 + "2", two),
        ):  # fmt: skip
            assert read.dataset_version("digits", wanted) == version
        for wanted in ("v5", "0", "v", "", "aaaaa", "AAAAAA", "latest", "v1 ", "b" * 64):
            with pytest.raises(NotFoundError, match="v1, v2, v3, v4"):
                read.dataset_version("digits", wanted)
        with pytest.raises(NotFoundError, match="more than one digest"):
            read.dataset_version("digits", "1" * 20)

    def test_what_there_is_is_named(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match="data add"):
            store.read.dataset_version("digits")
        add(store, dataset_version(dataset="animals"), dataset_version())
        with pytest.raises(NotFoundError, match="did you mean 'digits'"):
            store.read.dataset_version("digit", "v1")
        with pytest.raises(NotFoundError, match="there is animals, digits"):
            store.read.dataset_version("zzz")
        add(store, *[dataset_version(str(number)) for number in range(9)])
        with pytest.raises(NotFoundError, match="10 versions, v1 to v10"):
            store.read.dataset_version("digits", "v11")

    def test_the_newest_is_seen_inside_the_transaction(self, store: Store) -> None:
        with store.write() as tx:
            assert tx.newest_dataset_version("digits") is None
        assert store.read.datasets() == []
        with store.write() as tx:
            made = tx.add_dataset_version(dataset_version())
            assert tx.newest_dataset_version("digits") == made
            assert store.read.datasets() == []
        assert store.read.datasets() == [made]

    def test_only_what_describes_a_version_changes(self, store: Store) -> None:
        [one, _] = add(store, dataset_version(), dataset_version("2"))
        there = ArtifactRef(digest="blake3:there", size=3, format="reference", type="x")
        changed = msgspec.structs.replace(
            one, ref=there, rows=3, labelled=2, profile="blake3:p", message="m", pinned=True
        )
        with store.write() as tx:
            tx.change_dataset_version(
                msgspec.structs.replace(changed, digest="?", files=99, size=99, origin="?")
            )
        assert store.read.dataset_version("digits", "v1") == changed
        with pytest.raises(NotFoundError, match="digits@v9"), store.write() as tx:
            tx.change_dataset_version(msgspec.structs.replace(one, number=9))

    def test_a_number_is_not_given_twice(self, store: Store) -> None:
        [one, _] = add(store, dataset_version(), dataset_version("2"))
        with store.write() as tx:
            tx.delete_dataset_version("digits", 2)
        assert store.read.dataset_version("digits") == one
        assert add(store, dataset_version("3"))[0].number == 3
        with pytest.raises(NotFoundError, match="digits@v2"), store.write() as tx:
            tx.delete_dataset_version("digits", 2)
        with store.write() as tx:
            tx.delete_dataset_version("digits", 1)
            tx.delete_dataset_version("digits", 3)
        assert store.read.datasets() == []

    def test_what_versions_speak_of_is_mentioned(self, store: Store) -> None:
        before = store.read.extent()
        add(store, dataset_version(profile="blake3:p"), dataset_version("2"))
        last = store.read.extent()
        assert last > before
        blobs = [
            ("", "blake3:manifest-1", "directory", 50),
            ("", "blake3:p", "", 0),
            ("", "blake3:manifest-2", "directory", 50),
        ]
        found = [store.read.mentioned(n, n + 1) for n in range(last)]
        assert sorted(blob for part in found for blob in part.blobs) == sorted(blobs)
        assert sorted(store.read.mentioned(0, last).blobs) == sorted(blobs)
        assert store.read.referenced() >= {blob[1] for blob in blobs}
        filled(store)  # its run has a number of its own kind
        assert store.read.mentioned(last, last + 99).blobs == []
