"""The contract of what runs are found by: parameters, metrics, tags and notes."""

from __future__ import annotations

import math

import pytest
from tests.contracts.store_builders import S, a_run, filled, new, outcome, start

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.conditions import Search
from mainspring.records.errors import NotFoundError
from mainspring.records.metrics import Point
from mainspring.records.sources import Kind, Source
from mainspring.records.status import RunStatus
from mainspring.records.stores import Store, Transaction
from mainspring.records.where import parse_where


def log(tx: Transaction, run: str, task: int, attempt: str, **values: float) -> None:
    points = [Point(name=name, value=value, step=None, at=1.0) for name, value in values.items()]
    tx.add_points(run, task, attempt, points, 1)


def source(name: str, version: str, kind: Kind = "dataset") -> Source:
    ref = ArtifactRef(digest=f"blake3:{name}", size=1, format="directory", type="pathlib.Path")
    return Source(kind=kind, name=name, version=version, digest=f"blake3:{version}", ref=ref)


class FactContract:
    def test_parameters_are_found_from_the_start(self, store: Store) -> None:
        parameters = {
            "c": 1,
            "on": True,
            "none": None,
            "text": "é" * 300,
            "nan": math.nan,
            "most": 10**400,
            "list": [1, None],
            "deep": {"a": {"b.c": 2.5}, "empty": {}},
            "n" * 300: 1,
        }
        filled(store, new("a"), parameters=parameters)
        assert store.read.facts(["r1", "none"]) == {
            "r1": {
                "params.c": 1.0,
                "params.on": 1.0,
                "params.text": "é" * 255 + "…",
                "params.nan": "nan",
                "params.most": math.inf,
                "params.list": "[1,null]",
                "params.deep.a.b.c": 2.5,
            },
            "none": {},
        }

    def test_versions_of_data_and_models_are_found_from_the_start(self, store: Store) -> None:
        sources = {
            "datasets.digits@v1": source("digits", "v1"),
            "datasets.digits": source("digits", "v3"),
            "datasets.odd-name@v2": source("odd-name", "v2"),
            "models.bert@prod": source("bert", "v7", "model"),
        }
        filled(store, parameters={}, sources=sources)
        assert store.read.facts(["r1"])["r1"] == {
            "data.digits": "v3",
            "data.odd-name": "v2",
            "models.bert": "v7",
        }
        for text, there in [
            ("data.digits == v3", True),
            ("data.digits == 'v3' and data['odd-name'] in [v1, v2]", True),
            ("data.digits == v1", False),
            ("models.bert == v7", True),
            ("models.bert != v7", False),
            ("models.digits is None and data.bert is None", True),
        ]:
            found = [run.id for run in store.read.search(Search(parse_where(text)))]
            assert found == ["r1"] * there, text

    def test_a_metric_is_the_last_of_the_last_task(self, store: Store) -> None:
        first, second = filled(store, new("a"), new("b"), parameters={})
        with store.write() as tx:
            start(tx, first)
            start(tx, second, "a2")
            log(tx, "r1", second, "a2", loss=2.0)
            log(tx, "r1", first, "a1", loss=1.0, other=5.0)
        assert store.read.facts(["r1"])["r1"] == {"metrics.loss": 2.0, "metrics.other": 5.0}
        with store.write() as tx:
            log(tx, "r1", second, "a2", loss=0.5)
            log(tx, "r1", first, "a1", other=math.nan)
        assert store.read.facts(["r1"])["r1"] == {"metrics.loss": 0.5, "metrics.other": "nan"}

    def test_a_reused_task_has_the_metrics_of_its_source(self, store: Store) -> None:
        first, second = filled(store, new("a"), new("m[0]", index=0), parameters={})
        with store.write() as tx:
            start(tx, first)
            log(tx, "r1", first, "a1", loss=1.0, bad=math.nan)
            tx.finish("a1", "e1", 1, outcome())
            start(tx, second, "a3", key="k3")
            log(tx, "r1", second, "a3", deep=3.0)
            tx.add_run(a_run("r2", parameters={}), b"{}")
            tx.add_tasks(
                "r2",
                [
                    new("a", S.REUSED, source="r1/a"),
                    new("m[0]", S.REUSED, source="r1/m[0]", index=0),
                    new("gone", S.REUSED, source="r0/gone"),
                    new("m", S.REUSED),
                ],
            )
        assert store.read.facts(["r2"]) == {"r2": {}}
        with store.write() as tx:
            tx.move_run("r2", RunStatus.SUCCEEDED, 9.0)
        assert store.read.facts(["r2"]) == {"r2": {"metrics.loss": 1.0, "metrics.bad": "nan"}}

    def test_tags_and_notes_come_and_go(self, store: Store) -> None:
        filled(store, parameters={})
        with store.write() as tx:
            tx.set_tags("r1", {"best": "", "by": "ana"})
            tx.set_note("r1", "first\nsecond")
        assert store.read.facts(["r1"])["r1"] == {"tags.best": "", "tags.by": "ana"}
        assert store.read.notes(["r1", "r2"]) == {"r1": "first\nsecond"}
        with store.write() as tx:
            tx.set_tags("r1", {"best": None, "none": None, "by": "bo"})
            tx.set_note("r1", "")
        assert store.read.facts(["r1"])["r1"] == {"tags.by": "bo"}
        assert store.read.notes(["r1"]) == {}

    def test_annotations_of_no_run(self, store: Store) -> None:
        for change in (lambda tx: tx.set_tags("r9", {"a": ""}), lambda tx: tx.set_note("r9", "x")):
            with pytest.raises(NotFoundError, match="r9"), store.write() as tx:
                change(tx)

    def test_a_deleted_run_is_not_found_any_more(self, store: Store) -> None:
        filled(store, new("a"))
        with store.write() as tx:
            tx.set_note("r1", "x")
            tx.delete_run("r1")
        assert store.read.facts(["r1"]) == {"r1": {}}
        assert store.read.notes(["r1"]) == {}
        filled(store, parameters={})
        assert store.read.facts(["r1"]) == {"r1": {}}
