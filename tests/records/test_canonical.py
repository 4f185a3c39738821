"""Canonical JSON: one text for one value, and no two values with one text."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from mainspring.records.canonical import canonical, digest_bytes, digest_of
from mainspring.records.spec import PipelineSpec, StepNode

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)  # fmt: skip


@given(plain)
def test_it_is_json_of_the_value(value: Any) -> None:
    data = canonical(value)
    assert repr(json.loads(data)) == repr(_sorted(value))
    assert canonical(json.loads(data)) == data


def _sorted(value: Any) -> Any:
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=str.encode)}
    return value


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), st.integers()), st.data())
def test_the_order_of_keys_says_nothing(value: dict[str, int], data: st.DataObject) -> None:
    turned = dict(data.draw(st.permutations(list(value.items()))))
    assert canonical(turned) == canonical(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [None, True, "ü"]}, '{"a":[null,true,"ü"],"b":1}'),
        ((1, 2), "[1,2]"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (math.nan, '{"$float":"nan"}'),
        ([math.inf, -math.inf], '[{"$float":"inf"},{"$float":"-inf"}]'),
        ({"a": {"b": (math.nan, None)}}, '{"a":{"b":[{"$float":"nan"},null]}}'),
        ("null", '"null"'),
    ],
)
def test_texts(value: Any, text: str) -> None:
    assert canonical(value).decode() == text


def test_a_record_and_its_plain_form_are_one() -> None:
    spec = PipelineSpec(
        name="p", steps=(StepNode(name="a", uses="m:f", bindings={"x": math.nan, "y": None}),)
    )
    assert canonical(spec) == canonical(msgspec.to_builtins(spec))
    assert b'{"$float":"nan"}' in canonical(spec)


def test_digests() -> None:
    assert digest_bytes(b"x") == "blake3:" + blake3(b"x").hexdigest()
    assert digest_bytes(memoryview(b"x")) == digest_bytes(bytearray(b"x")) == digest_bytes(b"x")
    assert digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1}) != digest_of({"a": 1})
    assert len(digest_of(None)) == len("blake3:") + 64
