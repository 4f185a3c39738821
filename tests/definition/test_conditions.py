"""Surroundings taken apart and put together."""

import pytest

from mainspring.definition.conditions import conjunction, conjuncts, may_be_bool, negated
from mainspring.records.expressions import parse


def test_conjuncts_come_apart_and_together():
    whole = parse("steps.a > 1 and (steps.b or steps.c) and (steps.d and not steps.e)")
    parts = conjuncts(whole)
    assert [part.text for part in parts] == [
        "steps.a > 1", "steps.b or steps.c", "steps.d", "not steps.e",
    ]  # fmt: skip
    assert conjuncts(conjunction(parts)) == parts
    assert conjunction(parts[:1]) == parts[0]


@pytest.mark.parametrize("text", ["steps.a", "steps.a > 1", "not steps.a", "steps.a and steps.b"])
def test_twice_negated_is_the_same(text):
    assert negated(negated(parse(text))) == parse(text)
    assert negated(parse(text)) != parse(text)


@pytest.mark.parametrize(("kind", "may"), [(bool, True), (int, False), (str, False)])
def test_truth_values(kind, may):
    assert may_be_bool(kind) is may
