"""Errors say what, where and what to do; which of them a caller may catch together."""

from __future__ import annotations

import pickle

import pytest

from mainspring.records import errors
from mainspring.records.errors import BlobError, CorruptBlobError, MainspringError, StoreError

CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, Exception)]


@pytest.mark.parametrize(
    ("where", "hint", "text"),
    [
        (None, None, "it is wrong"),
        ("p.py:3", None, "p.py:3: it is wrong"),
        (None, "do it", "it is wrong\n  hint: do it"),
        ("p.py:3", "do it", "p.py:3: it is wrong\n  hint: do it"),
        ("", "", "it is wrong"),
    ],
)
def test_the_text_of_an_error(where: str | None, hint: str | None, text: str) -> None:
    assert str(MainspringError("it is wrong", where=where, hint=hint)) == text


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_is_one_that_the_command_line_prints(cls: type[MainspringError]) -> None:
    assert issubclass(cls, MainspringError)
    error = cls("x", where="here", hint="do")
    assert (error.what, error.where, error.hint) == ("x", "here", "do")
    assert cls.exit_code == (1 if cls is errors.RunFailedError else 2)


def test_families() -> None:
    assert issubclass(errors.ParameterError, errors.DefinitionError)
    assert issubclass(CorruptBlobError, BlobError)
    assert issubclass(BlobError, StoreError)


def test_an_error_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(CorruptBlobError("x", where="here", hint="do")))
    assert isinstance(error, CorruptBlobError)
    assert str(error) == "here: x\n  hint: do"
