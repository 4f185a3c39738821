"""Aliases: what they may be called, and where they point."""

from __future__ import annotations

import pytest

from mainspring.records.errors import MainspringError
from mainspring.records.models import AliasMove, check_alias, present


@pytest.mark.parametrize("text", ["prod", "A1", "canary-2", "v2x", "vv"])
def test_aliases(text: str) -> None:
    assert check_alias(text) == text


@pytest.mark.parametrize(
    "text", ["", "v2", "2", "V 2", "1st", "-a", "a@b", "a" * 101, "latest", "é"]
)
def test_what_is_no_alias(text: str) -> None:
    with pytest.raises(MainspringError, match="can't be an alias"):
        check_alias(text)


def test_the_last_move_counts() -> None:
    moves = [
        AliasMove(model="m", alias=a, number=n, at=0.0) for a, n in (("b", 1), ("a", 2), ("b", 3))
    ]
    assert present(moves) == {"a": 2, "b": 3}
