"""Orders and outcomes: what travels to and from a worker, and lies in files between processes."""

from __future__ import annotations

import math

import msgspec

from mainspring.records.artifacts import ArtifactRef, Literal, Stored
from mainspring.records.runs import Order, Outcome, Read, TaskError, Usage
from mainspring.records.status import AttemptStatus

REF = ArtifactRef(digest="blake3:1", size=5, format="npy")
ORDER = Order(
    attempt="r1.3.1", run="r1", path="tune#2/train[3]", node="tune/train", snapshot="blake3:s",
    uses="m:f", inputs={"x": Stored(ref=REF, index=3), "c": Literal(value={"k": [1.5]})},
    outputs={"result": "int"}, seed=2**63 - 1, threads=2, cpus=0.5, gpus=(0, 3), memory=1 << 40,
    timeout=0.5, env=("HOME",),
)  # fmt: skip


def test_an_order_comes_back_as_it_was() -> None:
    for wire in (msgspec.json, msgspec.msgpack):
        assert wire.decode(wire.encode(ORDER), type=Order) == ORDER


def test_an_outcome_comes_back_as_it_was() -> None:
    outcome = Outcome(
        attempt="a", status=AttemptStatus.TIMED_OUT, outputs={"result": REF},
        error=TaskError(kind="ValueError", message="é", where="m.py:1", traceback="t", hint="h"),
        usage=Usage(wall=1.5, cpu=1.0, peak_memory=9, gpu_memory=1),
        reads=(Read(path="data/", digest="blake3:2"),), impure=("read /etc/hosts",),
        started=1.0, ended=2.5,
    )  # fmt: skip
    assert msgspec.json.decode(msgspec.json.encode(outcome), type=Outcome) == outcome


def test_the_smallest_outcome() -> None:
    """Whoever takes an attempt away writes no more than this."""
    data = msgspec.json.encode(Outcome(attempt="a", status=AttemptStatus.LOST))
    assert data == b'{"attempt":"a","status":"lost"}'
    found = msgspec.json.decode(data, type=Outcome)
    assert (found.outputs, found.usage, found.reads) == ({}, Usage(), ())


def test_a_parameter_that_json_has_no_word_for_travels() -> None:
    order = msgspec.structs.replace(ORDER, inputs={"x": Literal(value=math.nan)})
    found = msgspec.msgpack.decode(msgspec.msgpack.encode(order), type=Order).inputs["x"]
    assert isinstance(found, Literal)
    assert math.isnan(found.value)
