"""Which format of the project a value has: told by its annotation, or by the mark of its class."""

from __future__ import annotations

import contextlib
import types
import typing
from contextlib import AbstractContextManager
from typing import Any

from mainspring.records.errors import SerializationError
from mainspring.records.formats import MARK, stored_as
from mainspring.storage.serializers.base import ROOT, type_text

_watch: list[AbstractContextManager[Any]] = []


def watch(recorder: AbstractContextManager[Any]) -> None:
    """From now on have the code of formats run inside of `recorder`: what it reads counts for the
    task whose value it saves or loads."""
    _watch[:] = [recorder]


def watched() -> AbstractContextManager[Any]:
    """What the code of a format has to run inside of."""
    return _watch[0] if _watch else contextlib.nullcontext()


def own_format(value: object, hint: object) -> Any:
    """The format class for a value: that of its annotation, else that of its class; or None.

    A subclass of a marked class has no format, since that might lose what it adds: raises
    SerializationError.
    """
    given = mark_for(value, hint)
    inherited = getattr(type(value), MARK, None)
    if given is None and inherited is not None:
        given = vars(type(value)).get(MARK)
        if given is None:
            raise SerializationError(
                f"a {type_text(value)} has no format: {inherited!r} is for the class above it",
                where=ROOT,
                hint=f"mark it as well, if that format keeps all of it: @{inherited!r}",
            )
    return None if given is None else given.format


def mark_for(value: object, hint: object) -> stored_as | None:
    """The mark in an annotation that is meant for this value; in a union, that of its class."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        inner, *marks = typing.get_args(hint)
        found = next((mark for mark in marks if isinstance(mark, stored_as)), None)
        return mark_for(value, inner) if found is None else found
    if origin in (typing.Union, types.UnionType):
        for member in typing.get_args(hint):
            found, base = mark_for(value, member), _class_of(member)
            if found is not None and isinstance(base, type) and isinstance(value, base):
                return found
    return None


def is_marked(hint: object) -> bool:
    """Whether all values under an annotation have a format of the project."""
    if typing.get_origin(hint) is typing.Annotated:
        inner, *marks = typing.get_args(hint)
        return any(isinstance(mark, stored_as) for mark in marks) or is_marked(inner)
    return isinstance(hint, type) and MARK in vars(hint)


def _class_of(hint: object) -> object:
    while typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    return typing.get_origin(hint) or hint
