"""The elements of mapped inputs."""

from __future__ import annotations

import pytest

from mainspring.planning.elements import elements_of
from mainspring.records.artifacts import Bundle, Literal, Sequence
from mainspring.records.errors import DefinitionError


class NoReader:
    """Fails if a stored value is asked for."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(name)


def found(value: object) -> list[object]:
    elements = elements_of("xs", value, NoReader(), "flow.py:3")  # type: ignore[arg-type]
    return [elements.at(index)[0] for index in range(len(elements))]


def test_of_a_list_that_is_given():
    assert found(Literal(value=[1, "a"])) == [Literal(value=1), Literal(value="a")]


def test_of_a_sequence_and_of_a_tuple():
    items = (Literal(value=1), Literal(value=2))
    assert found(Sequence(items=items)) == list(items)
    assert found(Bundle(type="tuple", items={"a": items[0], "b": items[1]})) == list(items)


def test_what_is_no_list_is_refused_by_name():
    with pytest.raises(DefinitionError, match="map needs a list for 'xs', not 3") as caught:
        found(Literal(value=3))
    assert caught.value.where == "flow.py:3"
