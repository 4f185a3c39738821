"""The spec's JSON: small, strict, the same after a round trip."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mainspring.records.canonical import canonical
from mainspring.records.spec import (
    FORMAT,
    CheckpointNode,
    CommandNode,
    GroupNode,
    Options,
    Parameter,
    PipelineSpec,
    RepeatNode,
    StepNode,
)

INNER = PipelineSpec(name="inner", parameters={"x": Parameter()}, outputs={"r": 1})
SPEC = PipelineSpec(
    name="p",
    parameters={"a": Parameter(type="int", default=None), "b": Parameter(type="str")},
    steps=(
        StepNode(name="s", uses="m:f", bindings={"x": "${{ parameters.a }}"}, map=("x",),
                 outputs={"0": "int", "1": "str"}, bundle="tuple", where="p.py:1",
                 options=Options(cpus=2.0, memory=1 << 30, cache=60.0, env=("A",), seed=2**63)),
        CommandNode(name="c", command="sort {inputs.x}", files=("f.awk",), shell=True,
                    outputs={"o": "out/"}),
        CheckpointNode(name="k", condition="${{ steps.s.0 > 1 }}", on_fail="warn", kind="data"),
        GroupNode(name="g", pipeline=INNER, when="steps.s", after=("c",), guards=("k",)),
        RepeatNode(name="r", pipeline=INNER, until="outputs.r > 1", max=3, carry={"x": "r"},
                   exhausted="fail"),
    ),
    outputs={"result": "${{ steps.g.r }}"},
)  # fmt: skip


def test_it_comes_back_as_it_was() -> None:
    data = canonical(SPEC)
    assert msgspec.json.decode(data, type=PipelineSpec) == SPEC
    assert canonical(msgspec.json.decode(data, type=PipelineSpec)) == data


def test_only_what_is_said_is_written() -> None:
    step = PipelineSpec(name="p", steps=(StepNode(name="a", uses="m:f", bindings={"x": 1}),))
    assert (
        canonical(step)
        == b'{"name":"p","steps":[{"name":"a","type":"step","uses":"m:f","with":{"x":1}}]}'
    )


def test_a_default_of_none_is_not_a_missing_default() -> None:
    assert canonical(Parameter(default=None)) == b'{"default":null}'
    assert canonical(Parameter()) == b"{}"
    assert msgspec.json.decode(b"{}", type=Parameter).default is msgspec.UNSET


def test_options_say_by_their_type_how_long_a_result_lives() -> None:
    for value in (True, False, 60.0):
        found = msgspec.json.decode(canonical(Options(cache=value)), type=Options).cache
        assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "change",
    [
        {"nope": 1},
        {"format": "mainspring.pipeline/2"},
        {"steps": [{"type": "step", "name": "a", "uses": "m:f", "options": {"cpu": 1}}]},
        {"steps": [{"type": "strange", "name": "a"}]},
        {"steps": [{"type": "step", "name": "a"}]},
        {"parameters": {"x": {"typ": "int"}}},
        {"steps": [{"type": "checkpoint", "name": "a", "condition": "x", "kind": "mood"}]},
        {"steps": [{"type": "step", "name": "a", "uses": "m:f", "retries": 3}]},
    ],
)
def test_what_it_does_not_know_is_refused(change: dict[str, Any]) -> None:
    data = msgspec.json.encode({"name": "p", "format": FORMAT, **change})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(data, type=PipelineSpec)
