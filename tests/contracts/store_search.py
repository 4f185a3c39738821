"""The contract of finding runs: every store gives what plain Python does with all runs."""

from __future__ import annotations

import math
import random
from functools import partial

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.contracts.store_builders import a_run, new, start

from mainspring.records.conditions import Field, Search, evaluate
from mainspring.records.errors import SearchError
from mainspring.records.facts import Fact
from mainspring.records.metrics import Point
from mainspring.records.runs import Run
from mainspring.records.status import RunStatus
from mainspring.records.stores import RunFilter, Store
from mainspring.records.where import parse_order, parse_where

ODD = 'it\'s "odd"; DROP TABLE runs -- %s ? :x \\ 𝕌 \uf8fe'
NAMES = [
    "metrics.loss", "metrics['acc/val']", "params.c", "params.deep.a", "params['missing']",
    "tags.by", "tags.best", "data.digits", "status", "pipeline", "id", "note", "created", "started",
    "ended", "duration", "tasks.train.metrics.loss",
]  # fmt: skip
CONSTANTS = [
    "0", "1", "-1.5", "0.5", "1e400", "True", "'ana'", "'a'", "''", "v3", "failed", "None", "2",
    "'2026-11-01'", "ago('1d')", "'90s'", repr(ODD), "'1970-01-01T00:01:45+00:00'", "100", "104",
]  # fmt: skip


def fill(store: Store, count: int = 40) -> None:
    """Runs of which each has other things."""
    chance = random.Random(4)
    for number in range(count):
        run = f"r{number:02}"
        parameters = {"c": chance.choice([0, 1, 0.5, "auto", math.nan, math.inf, None, True])}
        if number % 3:
            parameters["deep"] = {"a": chance.choice([1, "a", ODD])}
        with store.write() as tx:
            created = 100.0 + number // 2
            name = chance.choice(["digits", ODD])
            tx.add_run(a_run(run, parameters=parameters, created=created, pipeline=name), b"{}")
            (task,) = tx.add_tasks(run, [new("train")])
            start(tx, task, f"a{number}", key=f"k{number}")
            values = {"loss": chance.choice([0.0, 0.5, 1.0, math.nan, -math.inf])}
            values |= {"acc/val": float(number)} if number % 5 else {}
            for metric, value in values.items():
                point = Point(name=metric, value=value, step=None, at=1.0)
                tx.add_points(run, task, f"a{number}", [point], 1)
            if number % 4 == 0:
                tx.set_tags(run, {"by": chance.choice(["ana", "bo", ODD]), "best": ""})
                tx.set_note(run, chance.choice(["ana said so", ODD, "x" * 1000]))
            if number % 2:
                tx.move_run(run, RunStatus.RUNNING, created + 1)
            if number % 3 == 1:
                tx.move_run(run, chance.choice([RunStatus.FAILED, RunStatus.CANCELLED]), 150.0)


def value(store: Store, run: Run, field: Field) -> Fact | None:
    """What a run has of a field, by way of the records themselves."""
    if field.root == "task":
        found = [m for m in store.read.metrics(run.id) if (m.task, m.name) == field[1::2]]
        return None if not found else "nan" if math.isnan(found[0].last) else found[0].last
    if field.root == "facts":
        return store.read.facts([run.id])[run.id].get(field.name)
    if field.name == "note":
        return store.read.notes([run.id]).get(run.id)
    if field.name == "duration":
        return None if run.ended is None else run.ended - run.created
    found = getattr(run, field.name)
    return str(found.value) if field.name == "status" else found


def expected(store: Store, text: str) -> set[str]:
    """The runs that plain Python finds."""
    wanted = parse_where(text, now=200.0)
    runs = store.read.runs(RunFilter(limit=1000))
    return {r.id for r in runs if evaluate(wanted, partial(value, store, r))}


def found(store: Store, text: str) -> list[str]:
    return [run.id for run in store.read.search(Search(parse_where(text, now=200.0), limit=1000))]


def comparisons() -> st.SearchStrategy[str]:
    sides = st.sampled_from(NAMES + CONSTANTS)
    signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "is", "is not", "in", "not in"])
    simple = st.tuples(st.sampled_from(NAMES), signs, sides).map(" ".join)
    chained = st.tuples(sides, signs, st.sampled_from(NAMES), signs, sides).map(" ".join)
    lists = st.lists(st.sampled_from(CONSTANTS), max_size=3).map(lambda c: f"[{', '.join(c)}]")
    among = st.tuples(st.sampled_from(NAMES), st.sampled_from(["in", "not in"]), lists)
    calls = st.tuples(
        st.sampled_from(["contains", "startswith", "endswith", "isnan"]),
        st.sampled_from(NAMES),
        st.sampled_from(CONSTANTS),
    ).map(lambda c: f"isnan({c[1]})" if c[0] == "isnan" else f"{c[0]}({c[1]}, {c[2]})")
    alone = st.sampled_from(NAMES)
    return st.one_of(simple, simple, chained, among.map(" ".join), calls, alone)


def conditions() -> st.SearchStrategy[str]:
    return st.recursive(
        comparisons(),
        lambda inner: st.one_of(
            inner.map(lambda text: f"not ({text})"),
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
                lambda parts: f"({parts[0]}) {parts[1]} {parts[2]}"
            ),
        ),
        max_leaves=5,
    )


class SearchContract:
    @pytest.fixture
    def full(self, store: Store) -> Store:
        fill(store)
        return store

    def test_a_condition_is_refused_or_finds_what_python_finds(self, full: Store) -> None:
        @given(conditions())
        @example("metrics.loss < params.c or params.c != metrics.loss")
        @example("status == 'failed' and not metrics['acc/val'] > 3 and params.c in [1, 'auto']")
        @example("tasks.train.metrics.loss != 1 and note is not None")
        @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        def check(text: str) -> None:
            try:
                wanted = expected(full, text)
            except SearchError:
                return
            assert set(found(full, text)) == wanted

        check()

    def test_something_is_found(self, full: Store) -> None:
        for text in [
            "metrics.loss >= 0.5", "isnan(metrics.loss)", "params.c == 'auto'", "tags.best",
            f"contains(note, {ODD!r})", f"endswith(params.deep.a, {ODD!r})", "'said' in note",
            f"startswith(tags.by, {ODD!r})", "duration > '20s'", "metrics.loss < params.c",
            "tasks['train'].metrics.loss == 1", "params.c is None", "ended is not None",
            "status in [failed, cancelled]", "created < '1970-01-01T00:01:45+00:00'",
        ]:  # fmt: skip
            assert 0 < len(found(full, text)) < 40, text
            assert set(found(full, text)) == expected(full, text)

    @pytest.mark.parametrize("where", [None, "metrics['acc/val'] > 20", "tags.best", "id != 'r05'"])
    @pytest.mark.parametrize(
        "order",
        ["metrics.loss", "metrics['acc/val']", "params.c", "tags.by", "created", "started",
         "duration", "status", "id", "params.none"],
    )  # fmt: skip
    @pytest.mark.parametrize("way", ["asc", "desc"])
    def test_order_and_limit(self, full: Store, where: str | None, order: str, way: str) -> None:
        wanted = parse_where(where) if where else None
        field, descending = parse_order(f"{order}:{way}")
        runs = full.read.search(Search(wanted, field, descending, 1000))
        keys = [_key(value(full, run, field)) for run in runs]
        kinds = [kind for kind, _ in keys]
        assert kinds == sorted(kinds)
        for kind in range(2):
            values = [fact for k, fact in keys if k == kind]
            assert values == sorted(values, reverse=descending)
        assert {run.id for run in runs} == (expected(full, where) if where else {
            run.id for run in full.read.runs(RunFilter(limit=1000))
        })  # fmt: skip
        for limit in (1, 7):
            few = full.read.search(Search(wanted, field, descending, limit))
            assert [run.id for run in few] == [run.id for run in runs[:limit]]

    def test_newest_first_without_an_order(self, full: Store) -> None:
        newest = [run.id for run in full.read.runs(RunFilter(limit=7))]
        assert [run.id for run in full.read.search(Search(limit=7))] == newest

    def test_a_wide_condition(self, full: Store) -> None:
        text = " or ".join(f"metrics.loss == {n}" for n in range(200))
        assert set(found(full, text)) == expected(full, text)
        text = f"params.c in {list(range(190))} or note not in ['a', 'b']"
        assert set(found(full, text)) == expected(full, text)
        deep = "not (" * 40 + "tags.best" + ")" * 40
        assert set(found(full, deep)) == expected(full, deep)


def _key(fact: Fact | None) -> tuple[int, Fact]:
    if fact is None:
        return 2, 0
    return (1, fact) if isinstance(fact, str) else (0, fact)
