from __future__ import annotations

import ast
import collections
import logging
import math
import os.path
import re
import sys
import typing
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mainspring
from mainspring.definition.cells.values import (
    LONGEST,
    construction,
    imported,
    is_type_alias,
    literal,
    provides,
)

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False)
)
KEYS = st.none() | st.booleans() | st.integers() | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner)
    | st.sets(KEYS) | st.frozensets(KEYS),
)  # fmt: skip


@given(VALUES)
def test_a_plain_value_as_code_is_that_value(value: object) -> None:
    text = literal(value)
    assert text is not None
    made = eval(text)
    assert type(made) is type(value)
    assert made == value


def test_numbers_that_are_no_literals() -> None:
    assert literal(math.inf) == 'float("inf")'
    assert math.isnan(eval(str(literal(math.nan))))
    assert eval(str(literal([complex(1, -math.inf)]))) == [complex(1, -math.inf)]


@given(VALUES)
def test_the_text_is_the_same_each_time(value: object) -> None:
    assert literal(value) == literal(value)
    compile(f"x = {literal(value)}", "x", "exec")


def test_sets_have_one_order() -> None:
    words = ["a", "b", "c", "d", "e"]
    assert literal(set(words)) == literal(set(reversed(words))) == "{'a', 'b', 'c', 'd', 'e'}"


def test_huge_integers_are_written_so_that_python_reads_them() -> None:
    text = literal(10**5000)
    assert text is not None
    assert ast.literal_eval(text) == 10**5000


class Odd(int):
    pass


@pytest.mark.parametrize(
    "value", [object(), Odd(1), collections.OrderedDict(), [object()], {1: print}, print, len]
)
def test_what_is_no_plain_value(value: object) -> None:
    assert literal(value) is None


def test_a_list_in_itself_is_none() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert literal(loop) is None


def test_what_is_too_long_is_told_apart() -> None:
    with pytest.raises(OverflowError):
        literal("x" * LONGEST)
    with pytest.raises(OverflowError):
        literal(list(range(LONGEST)))


@pytest.mark.parametrize(
    "value",
    [Path("a") / "b", PurePosixPath("/x"), re.compile("a+", re.IGNORECASE), logging.getLogger("y")],
)
def test_values_that_are_made_anew(value: object) -> None:
    made = construction(value)
    assert made is not None
    names: dict[str, object] = {}
    exec(f"{made[0]}\nx = {made[1]}", names)
    assert names["x"] == value
    assert construction(object()) is None


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("math", math, "import math"),
        ("m", math, "import math as m"),
        ("path", os.path, f"import {os.path.__name__} as path"),
        ("Path", Path, "from pathlib import Path"),
        ("P", Path, "from pathlib import Path as P"),
        ("step", mainspring.step, "from mainspring import step"),
        ("fsum", math.fsum, "from math import fsum"),
        ("Any", typing.Any, "from typing import Any"),
        ("len", len, None),
        ("x", 3, None),
        ("x", type("Own", (), {"__module__": "__main__"}), None),
    ],
)
def test_imports(name: str, value: object, line: str | None) -> None:
    assert imported(name, value) == line


def test_a_module_that_is_none_of_python_s_is_not_imported() -> None:
    assert imported("x", type(sys)("made_here")) is None


def test_whether_an_import_gives_the_value() -> None:
    assert provides("math", "pi", math.pi)
    assert not provides("math", "pi", 3.0)
    assert not provides("math", "nothing", None)
    assert not provides("no_such_module", "x", None)


def test_type_aliases() -> None:
    for value in (list[int], int | None, typing.TypeVar("T"), typing.Optional[int]):  # noqa: UP045
        assert is_type_alias(value)
    for other in (int, 3, "x", Path):
        assert not is_type_alias(other)
