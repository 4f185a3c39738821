"""The options of a step."""

from tests.definition.steps import (
    Pair,
    train,
)

from mainspring.records.spec import Options


def test_options():
    assert train.run_options == Options(
        cpus=2.0, memory=2**31, timeout=5400.0, cache=86400.0, env=("A", "B"),
        resources={"tpu": 1.0},
    )  # fmt: skip
    changed = train.options(cpus=1, timeout=None, memory=100, cache=False, seed=3, version="2")
    assert (changed.run_options.cpus, changed.run_options.timeout) == (1.0, None)
    assert (changed.run_options.memory, changed.run_options.cache) == (100, False)
    assert changed.run_options.env == ("A", "B")
    assert train.run_options.cpus == 2.0
    assert changed([1.0]) == Pair(1, "1.0")
