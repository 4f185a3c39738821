"""Several outputs as one value, taken apart and put together."""

import pytest
from tests.definition.steps import (
    PLACE,
    Pair,
    point,
    row,
    train,
    two,
)

from mainspring.definition.bundles import rebuild
from mainspring.records.errors import DefinitionError


@pytest.mark.parametrize("definition", [two, point, row])
def test_what_is_split_is_put_together_again(definition):
    value = definition()
    parts = definition.split(value)
    assert list(parts) == list(definition.outputs)
    again = rebuild(definition.bundle, parts)
    assert again == value
    assert type(again) is type(value)


def test_a_dataclass_is_put_together_without_its_init():
    parts = {**train.split(Pair(1, "a")), "made": False}
    assert rebuild(train.bundle or "", parts).made is False


@pytest.mark.parametrize(
    ("definition", "value", "words"),
    [
        (two, (1, "a", 3), "step `two` returned 3 values, its annotation tuple[int, str] has 2"),
        (two, 5, "returned one value (int)"),
        (two, None, "returned one value (NoneType)"),
        (train, (1, "a"), "returned tuple, its annotation says"),
        (point, (1, 2), "returned tuple, its annotation says"),
        (row, {"a": 1}, "a dict without `b`"),
        (row, {"a": 1, "b": 2, "c": 3}, "a dict with `c`"),
        (row, [1, 2], "returned list, its annotation says"),
    ],
)
def test_another_shape_is_refused_at_the_step(definition, value, words):
    with pytest.raises(DefinitionError) as caught:
        definition.split(value)
    assert words in caught.value.what
    line = definition.function.__code__.co_firstlineno
    assert caught.value.where == f"{PLACE}{line}"
