"""How people write datasets and their versions."""

from __future__ import annotations

import pytest

from mainspring.records.datasets import check_name, split_name
from mainspring.records.errors import MainspringError


def test_names() -> None:
    assert split_name("digits") == ("digits", None)
    assert split_name("digits@v2") == ("digits", "v2")
    assert check_name("D_1" + "x" * 97)
    for wrong in ("", "1a", "_a", "a-b", "a b", "é", "a/b", "../a", "a\n", "x" * 101):
        with pytest.raises(MainspringError, match="can't be the name of a dataset"):
            check_name(wrong)
    with pytest.raises(MainspringError, match="names no version"):
        split_name("digits@")
