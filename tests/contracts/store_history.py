"""The store's contract for the past: results, keys, decisions and metrics."""

from __future__ import annotations

import math

import pytest
from tests.contracts.store_builders import (
    STATIC,
    S,
    cached,
    figure,
    filled,
    new,
    outcome,
    ref,
    start,
    verdict,
)

from mainspring.records.canonical import digest_of
from mainspring.records.metrics import MetricSummary, Point
from mainspring.records.runs import Usage
from mainspring.records.status import AttemptStatus
from mainspring.records.stores import KeyParts, Store


class HistoryContract:
    def test_lookup_first_committed_first(self, store: Store) -> None:
        filled(store)
        filled(store, run="r2")
        one, two = cached(run="r2"), cached(run="r1", attempt="a2")
        with store.write() as tx:
            assert tx.add_result(one) is None
            assert list(tx.lookup("k")) == [one]
            assert tx.add_result(two) is None
            tx.add_result(cached("other"))
        assert list(store.read.lookup("k")) == [one, two]
        assert store.read.lookup("nope") == []

    def test_divergence(self, store: Store) -> None:
        filled(store)
        with store.write() as tx:
            outputs = {"x": ref("9"), "y": ref("2"), "z": ref("3")}
            tx.add_result(cached(task="impure", outputs={"x": ref("7")}))
            tx.add_result(cached(task="first", outputs={"x": ref("1"), "y": ref("2")}, impure=()))
            other = cached(task="later", outputs=outputs, impure=())
            assert tx.add_result(other) == "r1/first"
            # Of another project file, or impure: nothing that it would have to equal.
            assert tx.add_result(cached(outputs=outputs, impure=(), reads={})) is None
            assert tx.add_result(cached(outputs={"x": ref("5")})) is None
        assert sorted(store.read.divergences("r1")) == [
            ("later", "x", "r1/first"),
            ("later", "z", "r1/first"),
        ]
        assert store.read.divergences("nope") == []

    def test_previous_is_of_the_newest_run_with_a_key(self, store: Store) -> None:
        assert store.read.previous("digits", "a") is None
        for name, at in (("old", 1.0), ("newest", 9.0), ("middle", 5.0)):
            [one] = filled(store, new("a"), run=name, created=at)
            with store.write() as tx:
                tx.add_static("blake3:static", STATIC)
                start(tx, one, f"{name}1", run=name, key=f"key-{name}")
        filled(store, new("a"), run="without", created=10.0)
        filled(store, new("a", S.REUSED, key="z", static="s"), run="alien", pipeline="other")
        assert store.read.previous("digits", "a") == KeyParts(
            run="newest",
            path="a",
            key="key-newest",
            static=STATIC,
            inputs={"x": ("blake3:x", "1.0")},
            seed=7,
        )
        assert store.read.previous("digits", "b") is None
        assert store.read.previous("nope", "a") is None
        with store.write() as tx:
            tx.delete_run("newest")
            found = tx.previous("digits", "a")
            assert found is not None
            assert found.run == "middle"

    def test_key_parts(self, store: Store) -> None:
        [one, two] = filled(store, new("a"), new("b"))
        with store.write() as tx:
            tx.add_static("blake3:static", STATIC)
            tx.add_static("blake3:static", STATIC)
            tx.settle(one, S.REUSED, 1.0, key="k", static="blake3:static", inputs={}, source="x")
        parts = store.read.key_parts(one)
        assert parts is not None
        assert (parts.key, parts.static, parts.seed, parts.inputs) == ("k", STATIC, None, {})
        assert store.read.key_parts(two) is None
        assert store.read.key_parts(999) is None

    def test_expected_is_the_latest_success(self, store: Store) -> None:
        [a, b, c] = filled(store, new("a"), new("t[0]"), new("t[1]"))
        with store.write() as tx:
            for task, name, wall, status in (
                (a, "a1", 1.0, AttemptStatus.FAILED),
                (b, "a2", 2.0, AttemptStatus.SUCCEEDED),
                (c, "a3", 3.0, AttemptStatus.SUCCEEDED),
            ):
                start(tx, task, name)
                tx.finish(name, "e1", 1, outcome(name, status, usage=Usage(wall=wall)))
            assert tx.expected("digits") == {"t": 3.0}
        assert store.read.expected("digits") == {"t": 3.0}
        assert store.read.expected("nope") == {}

    def test_verdicts_are_chained_by_pipeline(self, store: Store) -> None:
        filled(store)
        filled(store, run="r2")
        filled(store, run="alien", pipeline="other")
        with store.write() as tx:
            one = tx.add_verdict(verdict(values={"x": math.nan, "y": None}))
            two = tx.add_verdict(verdict("r2", passed=False))
            alien = tx.add_verdict(verdict("alien"))
        assert (one.previous, two.previous, alien.previous) == ("", one.digest, "")
        body = {name: getattr(two, name) for name in two.__struct_fields__ if name != "digest"}
        assert two.digest == digest_of(body)
        assert store.read.verdicts("r2") == [two]
        [back] = store.read.verdicts("r1")
        assert math.isnan(back.values["x"])
        assert (back.digest, back.evidence) == (one.digest, one.evidence)
        assert [v.digest for v in store.read.all_verdicts()] == [
            one.digest, two.digest, alien.digest,
        ]  # fmt: skip


class MetricContract:
    def test_points_and_summaries(self, store: Store) -> None:
        [one] = filled(store, new("train"))
        first = [
            Point(name="loss", value=0.5, step=0.0, at=1.0),
            Point(name="acc", value=math.nan, step=None, at=1.0),
            Point(name="loss", value=0.1, step=1.0, at=2.0),
        ]
        later = [
            Point(name="loss", value=math.inf, step=2.0, at=3.0),
            Point(name="loss", value=0.3, step=3.0, at=4.0),
        ]
        with store.write() as tx:
            start(tx, one)
            assert tx.points_offset("a1") == 0
            tx.add_points("r1", one, "a1", first, 120)
            assert tx.points_offset("a1") == 120
        with store.write() as tx:
            tx.add_points("r1", one, "a1", later, 240)
            tx.add_points("r1", one, "a1", [], 260)
            assert tx.points_offset("a1") == 260
            assert tx.points_offset("nope") == 0
        assert store.read.points("r1", "train", "loss") == [first[0], first[2], *later]
        assert store.read.points("r1", "train", "nope") == []
        [loss, acc] = store.read.metrics("r1")
        assert loss == MetricSummary(
            task="train", name="loss", last=0.3, count=4, minimum=0.1, maximum=math.inf, step=3.0
        )
        assert (acc.count, acc.step) == (1, None)
        assert all(map(math.isnan, (acc.last, acc.minimum, acc.maximum)))
        assert math.isnan(store.read.points("r1", "train", "acc")[0].value)

    def test_a_retry_replaces_what_is_shown(self, store: Store) -> None:
        [one, two] = filled(store, new("train"), new("other"))
        point = Point(name="loss", value=1.0, step=None, at=1.0)
        again = Point(name="loss", value=2.0, step=None, at=2.0)
        only = Point(name="only", value=3.0, step=None, at=1.0)
        with store.write() as tx:
            start(tx, one)
            tx.add_points("r1", one, "a1", [point, only], 1)
            tx.add_points("r1", two, "b1", [point], 1)
            tx.add_points("r1", one, "a2", [again], 1)
        assert store.read.points("r1", "train", "loss") == [again]
        assert store.read.points("r1", "other", "loss") == [point]
        assert [(m.task, m.name, m.last) for m in store.read.metrics("r1")] == [
            ("train", "only", 3.0),
            ("train", "loss", 2.0),
            ("other", "loss", 1.0),
        ]

    def test_points_and_offset_go_together(self, store: Store) -> None:
        [one] = filled(store, new("train"))
        point = Point(name="loss", value=1.0, step=None, at=1.0)
        with store.write() as tx:
            start(tx, one)

        def fail() -> None:
            with store.write() as tx:
                tx.add_points("r1", one, "a1", [point], 50)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        with store.write() as tx:
            assert tx.points_offset("a1") == 0
        assert store.read.metrics("r1") == []

    def test_media(self, store: Store) -> None:
        [one] = filled(store, new("train"))
        drawn = figure()
        with store.write() as tx:
            tx.add_media("r1", one, [drawn])
        assert store.read.media("r1") == [drawn]
        assert store.read.media("nope") == []
        assert store.read.media("r1", task=one, limit=1) == [drawn]
        assert store.read.media("r1", task=one, limit=0) == []
        assert store.read.media("r1", task=one + 1) == []

    def test_a_part_of_the_metrics(self, store: Store) -> None:
        [one, two] = filled(store, new("a"), new("b"))
        points = [Point(name=name, value=1.0, step=None, at=1.0) for name in ("x", "y")]
        with store.write() as tx:
            for task in (one, two):
                start(tx, task, f"a{task}")
                tx.add_points("r1", task, f"a{task}", points, 5)
        read = store.read
        assert [m.task for m in read.metrics("r1", limit=3)] == ["a", "a", "b"]
        assert [m.name for m in read.metrics("r1", task=two)] == ["x", "y"]
        assert [m.name for m in read.metrics("r1", task=two, limit=1)] == ["x"]
