"""Statements and values, as PostgreSQL takes them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mainspring.storage.postgres_sql import inward, outward, placeholders, translated
from mainspring.storage.statements import statements, versions


def test_placeholders() -> None:
    assert placeholders("a = ? AND b = :it::text") == "a = %s AND b = %(it)s::text"
    assert placeholders("x LIKE '50%?:no' AND y % 2") == "x LIKE '50%%?:no' AND y %% 2"


def test_own_versions_go_first() -> None:
    common, own = statements("tasks", "queue"), versions("postgres", "tasks", "queue")
    assert set(own) - {"lock"} <= set(common)
    for name, sql in own.items():
        assert translated(common[name]) == placeholders(sql)
    assert "json_each" not in translated(common["ready"])


ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(st.lists(st.one_of(ANY_TEXT, st.integers(), st.none(), st.binary())))
def test_texts_come_back(values: list[object]) -> None:
    sent = outward(values)
    assert not any(isinstance(v, str) and "\0" in v for v in sent)
    for value in sent:
        if isinstance(value, str):
            value.encode()
    assert inward([tuple(sent)]) == [tuple(values)]


def test_what_is_no_text() -> None:
    assert outward([True, float("nan"), 1.5]) == (1, None, 1.5)
    assert outward({"a": False}) == {"a": 0}
