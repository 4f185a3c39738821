"""Rows and records: nothing is lost between them, odd floats and large seeds least of all."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts import store_builders as make

from mainspring.records.errors import StoreError
from mainspring.records.runs import TaskError, Usage
from mainspring.records.status import RunStatus, TaskStatus, Wish
from mainspring.storage import rows
from mainspring.storage.decisions import linked

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats()
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(json_values)
def test_a_users_value_comes_back_exactly(value: Any) -> None:
    assert repr(rows.from_free_json(rows.free_json(value))) == repr(_sorted(value))


def _sorted(value: Any) -> Any:
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=str.encode)}
    return value


@given(json_values, st.integers(0, 2**64 - 1))
def test_a_run_comes_back(value: Any, seed: int) -> None:
    run = make.a_run(
        parameters={"x": value}, seed=seed, status=RunStatus.PAUSED, wish=Wish.CANCEL, started=1.5,
        ended=2.5, parent="r0", reason="because", forced=("a", "b/"),
        environment="blake3:e",
    )  # fmt: skip
    found = rows.run_of(rows.run_row(run))
    assert repr(found.parameters) == repr({"x": _sorted(value)})
    assert msgspec.structs.replace(found, parameters={}) == msgspec.structs.replace(
        run, parameters={}
    )


def test_an_attempt_comes_back() -> None:
    plain = make.attempt(3)
    full = make.attempt(
        3, ended=9.5, usage=Usage(wall=1.5, peak_memory=2**40),
        error=TaskError(kind="E", message="m", where="w", traceback="t", hint="h"),
    )  # fmt: skip
    for attempt in (plain, full):
        assert rows.attempt_of(rows.attempt_row(attempt)) == attempt


def test_a_result_comes_back() -> None:
    found = make.cached(impure=(), reads={"dir/": "absent", "a ü.csv": "blake3:1"})
    for cached in (make.cached(), found):
        assert rows.cached_of(rows.cached_row(cached)) == cached


def test_artifacts_come_back_in_order() -> None:
    outputs = {
        "b": make.ref("1", format="list", count=0, data_only=False),
        "a": make.ref("2", type=""),
    }
    found = list(rows.artifact_rows(7, outputs))
    assert [row[:3] for row in found] == [(7, 0, "b"), (7, 1, "a")]
    assert {row[2]: rows.artifact_of(row, 3) for row in found} == outputs


def test_upstream_is_gathered_from_rows() -> None:
    a, b = make.ref("a"), make.ref("b")

    def row(name: Any, status: str, output: str | None = None, ref: Any = None) -> rows.Row:
        if ref is None:
            return (name, status, output, *[None] * 6)
        return (name, status, output, ref.digest, ref.size, ref.format, ref.type, True, None)

    found = rows.upstream_of(
        [row(1, "succeeded", "x", a), row(1, "succeeded", "y", b), row(2, "skipped"),
         row(3, "reused", "x", b)]
    )  # fmt: skip
    assert {name: (up.status, up.outputs) for name, up in found.items()} == {
        1: (TaskStatus.SUCCEEDED, {"x": a, "y": b}),
        2: (TaskStatus.SKIPPED, {}),
        3: (TaskStatus.REUSED, {"x": b}),
    }


def test_a_verdict_comes_back_with_its_odd_values() -> None:
    link, body = linked(make.verdict(values={"loss": math.nan, "best": math.inf}), "blake3:0")
    found = rows.verdict_of(body.decode(), link.digest)
    assert (found.digest, found.previous) == (link.digest, "blake3:0")
    assert math.isnan(found.values["loss"])
    assert found.values["best"] == math.inf


def test_what_is_not_there() -> None:
    assert rows.key_parts_of(None) is None
    assert rows.json_or_null(None) is None
    assert rows.seed_text(None) is None
    assert rows.inputs_of(None) == {}
    assert math.isnan(rows.number(None))
    assert rows.number(0.0) == 0.0


def test_key_parts() -> None:
    inputs = {"x": ("json:1", "1.0")}
    row = ("r1", "a", "key:1", rows.json_text(make.STATIC), rows.json_text(inputs), str(2**64 - 1))
    found = rows.key_parts_of(row)
    assert found is not None
    assert (found.static, found.inputs, found.seed) == (make.STATIC, inputs, 2**64 - 1)
    none = rows.key_parts_of((*row[:4], None, None))
    assert none is not None
    assert (none.inputs, none.seed) == ({}, None)


@pytest.mark.parametrize("status", TaskStatus)
def test_every_state_has_its_word(status: TaskStatus) -> None:
    assert rows.TASK_STATUS[status.value] is status


def test_a_row_that_was_edited_is_no_bug() -> None:
    row = list(rows.run_row(make.a_run()))
    for place, value in ((2, "zzz"), (3, None), (6, "{"), (7, "many"), (13, "7")):
        edited = [*row[:place], value, *row[place + 1 :]]
        with pytest.raises(StoreError, match="can't be read"):
            rows.run_of(tuple(edited))
    with pytest.raises(StoreError, match="can't be read"):
        rows.verdict_of("{}", "blake3:0")
