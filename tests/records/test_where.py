"""Conditions are read as Python reads them, or refused by name: whatever the text is."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mainspring.records.conditions import Compare, Field, Present, evaluate
from mainspring.records.errors import SearchError
from mainspring.records.where import LONGEST, MOST_PARTS, parse_order, parse_where

NOW = 1_000_000.0


def refusal(text: str) -> str:
    with pytest.raises(SearchError) as caught:
        parse_where(text)
    return str(caught.value)


def test_an_example_of_everything() -> None:
    found = parse_where("metrics.accuracy > 0.95 and params.c < 1 and data.digits == v3")
    values: dict[str, Any] = {"metrics.accuracy": 0.97, "params.c": 0.5, "data.digits": "v3"}
    assert evaluate(found, lambda field: values.get(field.name))
    for name, other in [("metrics.accuracy", 0.9), ("params.c", "1"), ("data.digits", "v2")]:
        changed = {**values, name: other}
        assert not evaluate(found, lambda field, c=changed: c.get(field.name))


def test_names() -> None:
    assert parse_where("parameters.a.b > 1") == parse_where("params['a.b'] > 1")
    assert parse_where("1 < params.x") == parse_where("params.x > 1")
    assert parse_where("tags['a b']") == Present(Field("facts", "tags.a b", "text"))
    assert parse_where("tasks['m[0]'].metrics.loss == -1") == Compare(
        Field("task", "m[0]", "number", "loss"), "==", -1.0
    )
    assert parse_where("metrics.x\n  > 1") == parse_where("metrics.x > 1")


def test_times_and_durations() -> None:
    def value(text: str) -> Any:
        found = parse_where(text, now=NOW)
        assert isinstance(found, Compare)
        return found.right

    assert value("created > ago('1h30m')") == NOW - 5400
    assert value("created > '2026-11-01'") == datetime(2026, 11, 1).timestamp()
    assert value("ended < '1970-01-01T00:00:09+00:00'") == 9.0
    assert value("duration >= '2d'") == 172800.0
    assert value("duration >= 7") == 7.0
    assert value(f"params.x == 1{'0' * 400}") == math.inf


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the condition is empty"),
        ("metrics.a = 1", "write `==` to compare"),
        ("metrics.a == 1 AND status == failed", "write `and`, in small letters"),
        ("metrics.a == 1 && tags.b", "write `and` instead of `&&`"),
        ("tags.a LIKE '%x%'", "write `contains(name, 'text')`"),
        ("metrics.`a b` > 1", "with quotes"),
        ("metrics.a == '1'", "`metrics.a` is a number, and can't be compared with the text '1'"),
        ("tags.a == 1", "`tags.a` is a text, and can't be compared with a number (column 11)"),
        ("acuracy > 1", "unknown name `acuracy` (column 1)"),
        ("1 < stats", "did you mean `status`?"),
        ("metrics > 1", "write `metrics.NAME`"),
        ("tasks.train > 1", "write `tasks.train.metrics.loss`"),
        ("status.a == failed", "`status` has no parts"),
        ("status == succeded", "did you mean `succeeded`?"),
        ("pipeline == 'a' or tags.x == best", "a text needs quotes: 'best'"),
        ("1 < 2", "compares nothing that a run has"),
        ("metrics.a", "`metrics.a` has to be compared with something"),
        ("True", "is no condition"),
        ("created > duration", "`created` (a time) with `duration` (a duration) (column 11)"),
        ("created > 'yesterday'", "'yesterday' is no time"),
        ("created > ago(7)", "is no time"),
        ("created > ago('7 lightyears')", "'7 lightyears' is no duration"),
        ("duration > '5 minutes'", "is no duration"),
        ("ago('7d')", "`ago` is a time"),
        ("metrics.a is 1", "`is` goes with None only"),
        ("metrics.a < None", "None has no order"),
        ("contains(metrics.a, 'x')", "has no text to search in"),
        ("contains(note)", "write contains(tags.owner, 'an')"),
        ("contains(note, 5)", "not a text"),
        ("contains(note, '')", "not a text"),
        ("contians(note, 'x')", "did you mean `contains`?"),
        ("isnan(status)", "write isnan(metrics.loss)"),
        ("note.upper() == 'X'", "compares nothing that a run has"),
        ("status in 'failed'", "`in` needs a name and a list"),
        ("params.x == [1]", "neither a number nor a text"),
        ("params.x == 1 + 1", "neither a number nor a text"),
        ("params.x == -'a'", "a text has no sign"),
        ("params.x == '" + "a" * 300 + "'", "longer than 256 characters"),
        ("__import__('os')", "only a few functions are known"),
        ("[x for x in tags]", "is no condition"),
        ("(lambda: 1)()", "only a few functions are known"),
        ("metrics.a == '\\0'", "can't be compared"),
        ("tags.a == '\\0'", "NUL"),
        ("tags['\\ud800'] == 'a'", "half of a pair"),
        ("a\0b", "null bytes"),
        ("\ud800", "surrogate"),
        ("(" * 5000, "nested"),
        ("-" * 4000 + "1 < metrics.a", "nested too deeply"),
        ("not " * 100 + "tags.a", "nested more than 50 deep"),
        ("x" * 10**7, f"longer than {LONGEST:,} characters"),
        (" or ".join(["tags.a"] * 201), f"more than {MOST_PARTS} comparisons"),
        (f"params.x in {list(range(300))}", f"more than {MOST_PARTS} comparisons"),
        ("metrics.a > " + "9" * 5000, "limit"),
        ("metrics.a > 1j", "neither a number nor a text"),
        ("tags.a == b'x'", "neither a number nor a text"),
        ("metrics[0] > 1", "compares nothing that a run has"),
        ("été.x > 1 and tags.a == 1", "unknown name `été`"),
        ("tags.été == 'é' and tags.a == 1", "(column 31)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    assert said in refusal(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1", "nothing to order by"),
        ("metrics", "needs a name"),
        ("metrics.a:down", "invalid syntax"),
        ("tasks.train.metrics.a", "use metrics.NAME"),
        ("note", "notes"),
        ("nothing", "unknown name"),
        ("", "empty"),
    ],
)
def test_wrong_orders(text: str, said: str) -> None:
    with pytest.raises(SearchError, match=re.escape(said)):
        parse_order(text)


def test_orders() -> None:
    loss = Field("facts", "metrics.loss", "number")
    assert parse_order("metrics.loss") == (loss, False)
    assert parse_order("metrics['loss'] : desc") == (loss, True)
    assert parse_order("metrics['a:desc']")[0].name == "metrics.a:desc"


class Given:
    """What a run has, as Python compares it: what is not there is no side of any comparison."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def _fits(self, other: Any) -> bool:
        other = other.value if isinstance(other, Given) else other
        return None not in (self.value, other) and isinstance(other, str) == isinstance(
            self.value, str
        )

    def _other(self, other: Any) -> Any:
        return other.value if isinstance(other, Given) else other

    def __eq__(self, other: object) -> bool:
        return self._fits(other) and self.value == self._other(other)

    def __ne__(self, other: object) -> bool:
        return None not in (self.value, self._other(other)) and not self == other

    def __lt__(self, other: Any) -> bool:
        return self._fits(other) and self.value < self._other(other)

    def __le__(self, other: Any) -> bool:
        return self._fits(other) and self.value <= self._other(other)

    def __gt__(self, other: Any) -> bool:
        return self._fits(other) and self.value > self._other(other)

    def __ge__(self, other: Any) -> bool:
        return self._fits(other) and self.value >= self._other(other)

    def __hash__(self) -> int:
        return 0


NAMES = {"metrics.a": 1.0, "metrics.b": 0.5, "params.a": "x", "params.b": 1.0, "metrics.c": None}
SIDES = st.sampled_from([*NAMES, "0", "1", "0.5", "-1", "'x'", "'y'", "True"])
SIGNS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def texts() -> st.SearchStrategy[str]:
    pair = st.tuples(st.sampled_from(sorted(NAMES)), SIGNS, SIDES).map(" ".join)
    chain = st.tuples(SIDES, SIGNS, st.sampled_from(sorted(NAMES)), SIGNS, SIDES).map(" ".join)
    return st.recursive(
        st.one_of(pair, chain),
        lambda inner: st.one_of(
            st.tuples(st.just("not"), inner).map(" ".join),
            inner.map(lambda text: f"({text})"),
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        ),
        max_leaves=8,
    )


class Names:
    def __init__(self, root: str) -> None:
        for name, value in NAMES.items():
            if name.startswith(root):
                setattr(self, name.partition(".")[2], Given(value))


@given(texts())
@settings(max_examples=500, deadline=None)
def test_what_is_read_is_what_python_does(text: str) -> None:
    try:
        found = parse_where(text)
    except SearchError as error:
        assert "compare" in str(error)  # noqa: PT017 (it need not be raised)
        return
    wanted = eval(text, {"metrics": Names("metrics"), "params": Names("params")})
    assert evaluate(found, lambda field: NAMES[field.name]) == wanted


@given(st.text())
@example("\\N{nothing}")
@example("'\\d' in note")
@example("1 is 1")
@example("0x_ < metrics.a")
@example("1if 1else 2")
@settings(max_examples=500, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (parse_where, parse_order):
        try:
            read(text)
        except SearchError as error:
            assert str(error)  # noqa: PT017 (it need not be raised)
