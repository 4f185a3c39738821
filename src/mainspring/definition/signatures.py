"""A function's ports, read from its code object: `inspect` costs more to import than all else."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from mainspring.definition import types
from mainspring.definition.locations import of_code
from mainspring.definition.nodes import Port
from mainspring.records.errors import DefinitionError

_VAR_POSITIONAL, _VAR_KEYWORD = 0x04, 0x08
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200


def checked(function: object, what: str, *, where: str) -> FunctionType:
    """Return the plain function that `@step` or `@pipeline` was put on. Raises DefinitionError."""
    inner = types.unwrap(function) if callable(function) else None
    if not isinstance(inner, FunctionType):
        raise DefinitionError(
            f"@{what} is for functions, not for {_named(function)}",
            where=where or None,
            hint=f"define a function with `def` and put @{what} on it",
        )
    flags = inner.__code__.co_flags
    place = of_code(inner.__code__)
    for bit, word in (
        (_GENERATOR, "a generator"),
        (_COROUTINE, "async"),
        (_ASYNC_GENERATOR, "an async generator"),
    ):
        # What a step yields is stored as a list, element by element.
        if flags & bit and (what, bit) != ("step", _GENERATOR):
            raise DefinitionError(
                f"{what} `{inner.__name__}` is {word}", where=place, hint="return the whole result"
            )
    for bit, word in ((_VAR_POSITIONAL, "*args"), (_VAR_KEYWORD, "**kwargs")):
        if flags & bit:
            raise DefinitionError(
                f"{what} `{inner.__name__}` takes {word}: its inputs would have no names",
                where=place,
                hint="name each input; take a list or a dict for many",
            )
    return inner


def _named(thing: object) -> str:
    if isinstance(thing, type):
        return f"the class `{thing.__name__}`"
    return f"`{thing!r}`" if isinstance(thing, str | int | float) else f"a {type(thing).__name__}"


def ports_of(function: Callable[..., Any]) -> dict[str, Port]:
    """Return a function's inputs in order, with resolved annotations."""
    inner: Any = types.unwrap(function)
    code = inner.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    names: tuple[str, ...] = code.co_varnames[:count]
    positional = names[: code.co_argcount]
    given: tuple[Any, ...] = inner.__defaults__ or ()
    defaults = dict(zip(positional[len(positional) - len(given) :], given, strict=True))
    defaults.update(inner.__kwdefaults__ or {})
    hints = types.function_hints(function)
    return {
        name: Port(hints.get(name, Any), name not in defaults, defaults.get(name)) for name in names
    }


def positional_only(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of inputs that can't be given by name."""
    code = getattr(types.unwrap(function), "__code__")  # noqa: B009  not an attribute of Callable
    return code.co_varnames[: code.co_posonlyargcount]
