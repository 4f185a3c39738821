from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mainspring import stored_as
from mainspring.records.errors import DefinitionError


class Good:
    name = "good"

    def save(self, value: Any, path: Path) -> None: ...
    def load(self, path: Path) -> Any: ...


class NoLoad:
    name = "no-load"

    def save(self, value: Any, path: Path) -> None: ...


class NoName(Good):
    name = "Bad Name"


class NoVersion(Good):
    version = "1"


class NoSuffix(Good):
    suffix = "/../x"


class Again(Good):
    pass


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (NoLoad, "the format NoLoad has no method `load`"),
        (NoName, "has no usable `name`: 'Bad Name'"),
        (NoVersion, "the `version` of the format NoVersion is '1'"),
        (NoSuffix, "the `suffix` of the format NoSuffix is '/../x'"),
        (Good(), "needs a class, not <"),
        (None, "needs a class, not None"),
    ],
)
def test_what_is_no_format_is_refused_where_it_is_named(given: Any, text: str):
    with pytest.raises(DefinitionError) as caught:
        stored_as(given)
    assert text in caught.value.what
    assert caught.value.where
    assert caught.value.where.startswith(__file__)
    assert caught.value.hint


def test_a_name_belongs_to_one_format():
    stored_as(Good)
    stored_as(Good)  # a module that is imported again defines it again
    with pytest.raises(DefinitionError, match="two formats are named 'good'"):
        stored_as(Again)


def test_a_class_inside_a_function_is_refused():
    class Local(Good):
        name = "local"

    with pytest.raises(DefinitionError, match="defined inside a function"):
        stored_as(Local)


def test_it_marks_classes_only():
    with pytest.raises(DefinitionError, match="goes above a class"):
        stored_as(Good)(lambda: None)  # type: ignore[arg-type]


def test_equal_marks_are_equal():
    assert stored_as(Good) == stored_as(Good)
    assert len({stored_as(Good), stored_as(Good)}) == 1
    assert repr(stored_as(Good)) == "stored_as(Good)"
