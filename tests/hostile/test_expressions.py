"""Expressions that would take all time or memory, or reach what is no data."""

from __future__ import annotations

import string
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import HAND_LIMIT, evaluate, parse

VALUES: Any = {"a": {"b": [1, 2.5, "x", None], "c": {"d": "text"}}, "n": 7, "big": "y" * 900_000}


def work_out(text: str) -> Any:
    found = parse(text, where="t.yaml:1", limit=HAND_LIMIT)
    return evaluate(found, lambda _root, name: VALUES[name], where="t.yaml:1")


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "2**99999 * 2**99999",
        "'a' * 10**9",
        "'a' * 1000000 + 'a'",
        "steps.big + steps.big",
        "[1] * 10**9",
        "1 << 10**9",
        "'%1000000000d' % 1",
        "'{:1000000000}'.format(1)",
        "round(10**400, -10**9)",
        "round(1, -2**62)",
        "int('v' * 1000000, 32)",
        "str(2**14000)",
        "0x" + "f" * 19_000,
        "9" * 19_000,
        "(" * 100_000 + "1" + ")" * 100_000,
        "(" * 5_000 + "1" + ")" * 5_000,
        "[" * 5_000 + "]" * 5_000,
        "-" * 10_000 + "1",
        "not " * 4_000 + "1",
        "1" + "+1" * 8_000,
        "steps" + ".a" * 9_000,
        "1" * 2_000_000,
        "1 / 0",
        "1 % 0",
        "0 ** -1",
        "().__class__",
        "steps.a.__class__",
        "steps.n.real",
        "steps.a.b.append",
        "'a'.join(['b'])",
        "st\u0435ps.a",
        "'\ud800'",
        "1\0",
        "__import__('os')",
        "[x for x in steps.a.b]",
        "(lambda: 1)()",
        "max()",
        "steps.a.b[10**400]",
        "steps.a[[1]]",
    ],
    ids=lambda text: ascii(text[:24]),
)
def test_refused_at_once_and_briefly(text: str) -> None:
    before = time.monotonic()
    with pytest.raises(DefinitionError) as caught:
        work_out(text)
    assert time.monotonic() - before < 3
    assert len(str(caught.value)) < 700
    assert "t.yaml:1" in str(caught.value)


def test_what_looks_odd_and_is_fine() -> None:
    assert work_out("\uff53\uff54\uff45\uff50\uff53.n") == 7
    assert work_out("float('nan') == float('nan')") is False
    assert work_out("1" + "<2" * 9_000) is False
    assert work_out("round(1.25, 1)") == 1.2
    assert work_out("round(12345, -2)") == 12300
    assert work_out("10**400 < 1e308") is False


numbers = st.integers(-(10**30), 10**30).map(str) | st.floats(0, 1e300).map(repr)
leaves = st.one_of(
    numbers,
    st.text(string.printable, max_size=4).map(repr),
    st.sampled_from(
        ["steps.a", "steps.n", "steps.a.b", "steps.a.c.d", "steps.big", "None", "True"]
    ),
)
words = ["+", "-", "*", "/", "//", "%", "**", "==", "<", ">=", "in", "is", "and", "or"]
calls = ["len", "min", "max", "sum", "abs", "round", "str", "int", "float", "bool", "any", "all"]
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(words), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(st.sampled_from(calls), st.lists(inner, max_size=2)).map(
            lambda t: f"{t[0]}({', '.join(t[1])})"
        ),
        st.tuples(inner, inner).map(lambda t: f"{t[0]}[{t[1]}]"),
        st.tuples(inner, inner).map(lambda t: f"{t[0]}[{t[1]}:]"),
        st.lists(inner, max_size=3).map(lambda found: f"[{', '.join(found)}]"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=3000)
@given(expressions | st.text(max_size=30) | st.text("()[]{}.*'\"1as+-,: ", max_size=40))
def test_any_expression_has_a_value_or_one_error(text: str) -> None:
    said = ""
    try:
        work_out(text)
    except DefinitionError as error:
        said = str(error)
    assert len(said) < 1_500
