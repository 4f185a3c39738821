"""Ports from a function's code object."""

from typing import Any

from tests.definition.steps import (
    decorated,
    train,
)


def test_ports():
    ports = train.inputs
    assert list(ports) == ["data", "c", "other", "plain"]
    assert ports["data"] == (list[float], True, None)
    assert ports["c"] == (float, False, 1.0)
    assert ports["other"].annotation.text == "Missing"
    assert ports["plain"] == (Any, False, "x")
    assert list(decorated.inputs) == ["x", "y"]
