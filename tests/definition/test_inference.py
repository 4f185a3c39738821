"""The types of expressions."""

import re
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import numpy as np
import pytest

from mainspring.definition import types
from mainspring.definition.inference import descend, infer
from mainspring.records.errors import DefinitionError
from mainspring.records.expressions import parse


@dataclass
class Scores:
    accuracy: float
    rows: list[dict[str, int]]


class Table(TypedDict):
    name: str


KINDS: dict[str, Any] = {
    "f": float, "i": int, "b": bool, "s": str, "a": Any, "xs": list[float], "d": dict[str, int],
    "m": Literal["x", "y"], "o": float | None, "scores": Scores, "table": Table, "n": np.ndarray,
    "t": tuple[int, str], "ns": list[np.ndarray], "dn": dict[str, np.ndarray], "u": int | str,
}  # fmt: skip


def type_of(found):
    kind = KINDS[found.name]
    for key in found.path:
        kind = descend(kind, key)
    return kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("steps.i + 1", "int"), ("steps.i + 0.5", "float"), ("steps.i / 2", "float"),
        ("steps.a + 'x'", "any"), ("steps.s + 'x'", "str"), ("steps.s * 2", "str"),
        ("-steps.f", "float"), ("not steps.a", "bool"), ("steps.f > 1", "bool"),
        ("steps.b and steps.f > 1", "bool"), ("steps.b or steps.i", "bool | int"),
        ("steps.f if steps.b else 'x'", "float | Literal['x']"), ("len(steps.xs)", "int"),
        ("max(steps.xs)", "float"), ("abs(steps.i)", "int"), ("str(steps.i)", "str"),
        ("steps.xs[0]", "float"), ("steps.xs[1:]", "list[float]"), ("steps.d.k", "int"),
        ("steps.d[steps.s]", "int"), ("steps.scores.rows[0].k", "int"), ("steps.table.name", "str"),
        ("steps.t[1]", "str"), ("steps.t[-1]", "str"), ("steps.ns[0]", "numpy.ndarray"),
        ("[steps.i, steps.f]", "list[int | float]"), ("{'k': steps.s}", "dict[str, str]"),
        ("(steps.n, 1)", "tuple[numpy.ndarray, Literal[1]]"), ("steps.o + 1", "float"),
        ("steps.u + 1", "any"), ("steps.xs + [1]", "list[float | Literal[1]]"), ("[]", "list"),
        ("steps.a.b.c[0]", "any"), ("1.5", "float"), ("None", "None"), ("steps.s[0]", "str"),
        ("steps.m in ['x', 'z']", "bool"), ("'x' in steps.s", "bool"), ("'k' in steps.d", "bool"),
        ("steps.o is None", "bool"), ("(steps.i + 1) ** 2", "any"), ("round(steps.f)", "any"),
    ],
)  # fmt: skip
def test_types(text, kind):
    assert types.text(infer(parse(text), type_of)) == kind


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("steps.s - 1", "`-` needs numbers"), ("steps.xs * 2", "`*` needs numbers"),
        ("None + 1", "`+` needs numbers"), ("-steps.s", "a number is needed"),
        ("steps.f.x", "float has no 'x'"), ("steps.xs.x", "has no 'x'"),
        ("steps.scores.acuracy", "has no `acuracy`"), ("steps.n.shape", "has no `shape` here"),
        ("steps.dn.k", "has no `k` here"), ("steps.n > 1", "not JSON data"),
        ("len(steps.n)", "not JSON data"), ("steps.t[2]", "no element 2"),
        ("steps.f[0:1]", "can't be sliced"), ("steps.m == 'z'", "can never equal"),
        ("steps.m in ['z']", "can never be in"), ("steps.f is None", "can never equal"),
        ("steps.b == 'x'", "can never equal"), ("steps.s < 1", "can't compare"),
        ("steps.o < 'x'", "can't compare"), ("None < 1", "can't compare"), ("len()", "an argument"),
        ("1 in steps.s", "can never be in"), ("steps.d < steps.d", "can't compare"),
    ],
)  # fmt: skip
def test_faults(text, words):
    with pytest.raises(DefinitionError, match=re.escape(words)) as caught:
        infer(parse(text), type_of, where="p.py:3")
    assert caught.value.where == "p.py:3"
    assert "column" in caught.value.what
