"""The store's contract for models, their aliases, and what runs have on record of sources."""

from __future__ import annotations

import msgspec
import pytest
from tests.contracts.store_builders import a_run, model_version

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import NotFoundError
from mainspring.records.models import AliasMove, ModelVersion, Signature, present
from mainspring.records.sources import Source
from mainspring.records.stores import Store

SIGNED = Signature(signed="blake3:1", value="c2ln", key="PEM", fingerprint="f" * 64)


def add(store: Store, *versions: ModelVersion) -> list[ModelVersion]:
    with store.write() as tx:
        return [tx.add_model_version(version) for version in versions]


def move(store: Store, alias: str, number: int, at: float = 1.0, model: str = "bert") -> None:
    with store.write() as tx:
        tx.move_alias(AliasMove(model=model, alias=alias, number=number, at=at))


class ModelContract:
    def test_a_model_comes_back_as_it_was(self, store: Store) -> None:
        pickled = ArtifactRef(digest="blake3:m", size=1, format="file", data_only=False)
        full = model_version(signature=SIGNED, licence="é", digests=("a", "b"), ref=pickled)
        [one, two] = add(store, full, model_version("2", digests=()))
        assert one == msgspec.structs.replace(full, number=1)
        assert (two.number, two.name) == (2, "bert@v2")
        assert store.read.model_versions("bert") == [one, two]
        assert store.read.model_versions("nope") == []
        [other] = add(store, model_version(model="albert"))
        assert store.read.models() == [other, two]
        assert other.number == 1

    def test_models_by_what_people_write(self, store: Store) -> None:
        digests = ["1" * 64, "1" * 40 + "2" * 24, "a" * 64, "1" * 64]
        one, two, three, four = add(store, *[model_version(digest) for digest in digests])
        move(store, "prod", 2)
        read = store.read
        assert read.model_version("bert") == four
        for wanted, version in (
            ("v1", one), ("2", two), ("prod", two), ("blake3:aaaaaa", three),
            ("blake3:" + "1" * 64, four),
        ):  # fmt: skip
            assert read.model_version("bert", wanted) == version
        for wanted in ("v5", "staging", "", "aaaaaa", "Prod"):
            with pytest.raises(NotFoundError, match="prod, v1, v2, v3, v4"):
                read.model_version("bert", wanted)
        with pytest.raises(NotFoundError, match="more than one digest"):
            read.model_version("bert", "blake3:" + "1" * 20)

    def test_which_models_there_are_is_named(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match="models import"):
            store.read.model_version("bert")
        add(store, model_version())
        with pytest.raises(NotFoundError, match="did you mean 'bert'"):
            store.read.model_version("brt")
        with pytest.raises(NotFoundError, match="there is bert"):
            store.read.model_version("zzz")

    def test_moves_of_aliases_are_kept(self, store: Store) -> None:
        add(store, model_version(), model_version("2"), model_version(model="other"))
        move(store, "prod", 1, 1.0)
        move(store, "prod", 2, 2.0)
        move(store, "new", 2, 2.5)
        move(store, "prod", 1, 3.0)
        move(store, "prod", 1, 4.0, model="other")
        found = store.read.alias_moves("bert")
        assert [(one.alias, one.number, one.at) for one in found] == [
            ("prod", 1, 1.0), ("prod", 2, 2.0), ("new", 2, 2.5), ("prod", 1, 3.0),
        ]  # fmt: skip
        assert present(found) == {"new": 2, "prod": 1}
        assert store.read.model_version("bert", "prod").number == 1
        with pytest.raises(NotFoundError, match="bert@v9"), store.write() as tx:
            tx.move_alias(AliasMove(model="bert", alias="prod", number=9, at=5.0))
        assert store.read.alias_moves("bert") == found

    def test_the_newest_model_is_seen_inside_the_transaction(self, store: Store) -> None:
        with store.write() as tx:
            assert tx.newest_model_version("bert") is None
        assert store.read.models() == []
        with store.write() as tx:
            made = tx.add_model_version(model_version())
            assert tx.newest_model_version("bert") == made
            assert store.read.models() == []
        assert store.read.models() == [made]

    def test_a_run_keeps_what_its_sources_stood_for(self, store: Store) -> None:
        source = Source(
            kind="dataset", name="digits", version="v3", digest="blake3:c", files=9, rows=7, size=5,
            ref=ArtifactRef(digest="blake3:kept", size=50, format="directory", type="pathlib.Path"),
        )  # fmt: skip
        run = a_run(sources={"datasets.digits": source, "models.a@b": source})
        with store.write() as tx:
            tx.add_run(run, b"{}")
            tx.add_run(a_run("r2"), b"{}")
        assert store.read.run("r1") == run
        assert store.read.run("r2").sources == {}
        mentioned = store.read.mentioned(0, store.read.extent()).blobs
        assert ("r1", "blake3:kept", "directory", 50) in mentioned
        assert "blake3:kept" in store.read.referenced()

    def test_what_models_consist_of_is_mentioned(self, store: Store) -> None:
        before = store.read.extent()
        add(store, model_version(), model_version("2"))
        last = store.read.extent()
        assert last > before
        blobs = {("", "blake3:model-1", "directory", 70), ("", "blake3:model-2", "directory", 70)}
        found = [store.read.mentioned(n, n + 1) for n in range(last)]
        assert {blob for part in found for blob in part.blobs} == blobs
        assert store.read.referenced() >= {blob[1] for blob in blobs}
