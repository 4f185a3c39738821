"""How a step is run: the options a user may give, read and checked."""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal, TypedDict, cast

import msgspec

from mainspring.definition import quantities
from mainspring.records.errors import DefinitionError
from mainspring.records.spec import Options

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
NAME_LIMIT = 100


class RunOptions(TypedDict, total=False):
    """The options of a step. Sizes: bytes or "2GiB"; times: seconds or "30m"."""

    cpus: float
    gpus: int
    memory: int | str | None
    resources: Mapping[str, float]
    retries: int
    retry_delay: float | str
    timeout: float | str | None
    cache: bool | float | str
    seed: int | None
    version: str | None
    env: Iterable[str]
    join: bool
    impure: Literal["record", "ok"]
    environment: str | None
    deterministic: bool


class StepOptions(RunOptions, total=False):
    """What `@step(...)` takes."""

    name: str


class SiteOptions(StepOptions, total=False):
    """What `.options(...)` takes: the step's options, and what holds for one call."""

    when: Any
    after: Any


OPTION_NAMES = tuple(RunOptions.__annotations__)


def read(given: Mapping[str, Any], *, base: Options | None = None, where: str = "") -> Options:
    """Return the options of `given` on top of `base`. Raises DefinitionError."""
    refuse_unknown(given, OPTION_NAMES, "option", where=where)
    read_by_name = {name: _READERS[name](name, value, where) for name, value in given.items()}
    if isinstance(read_by_name.get("cache"), float) and read_by_name["cache"] <= 0:
        raise _bad("cache", given["cache"], "True, False or a time above zero", where)
    return msgspec.structs.replace(base or Options(), **read_by_name)


def without_environment(found: Options, what: str, instead: str, *, where: str) -> Options:
    """Return options of what is no Python step. Raises DefinitionError for an `environment`."""
    if found.environment is not None:
        raise DefinitionError(
            f"`environment` is for Python steps, not for {what}", where=where or None, hint=instead
        )
    return found


def refuse_unknown(
    given: Iterable[str], known: Collection[str], what: str, *, where: str, of: str = ""
) -> None:
    """Raise DefinitionError for the first name that is not known, with the nearest one."""
    for name in given:
        if name not in known:
            raise unknown(name, known, what, where=where, of=of)


def unknown(
    name: str, known: Collection[str], what: str, *, where: str, of: str = ""
) -> DefinitionError:
    """Return the error for an unknown name, with the nearest known one as the hint."""
    near = difflib.get_close_matches(name, known, 1)
    options = ", ".join(known) if known else "none"
    hint = f"did you mean `{near[0]}`?" if near else f"known: {options}"
    return DefinitionError(
        f"unknown {what} `{name}`{' of ' + of if of else ''}", where=where or None, hint=hint
    )


def check_name(name: object, what: str, *, where: str) -> str:
    """Return a name fit for a node: letters, digits, `_` and `-`. Raises DefinitionError."""
    if isinstance(name, str) and len(name) > NAME_LIMIT:
        raise DefinitionError(
            f"the name of {what} has {len(name)} characters", where=where or None,
            hint=f"at most {NAME_LIMIT}",
        )  # fmt: skip
    if not isinstance(name, str) or name[:1] == "-" or not name.replace("-", "_").isidentifier():
        raise DefinitionError(
            f"{name!r} is no name for {what}",
            where=where or None,
            hint="use letters, digits, `_` and `-`, and begin with a letter or `_`",
        )
    if not is_composed(name):
        raise DefinitionError(
            f"{name!a} is no name for {what}: it looks like another name in Unicode",
            where=where or None,
            hint=f"write {unicodedata.normalize('NFKC', name)!a}",
        )
    return name


def is_composed(name: str) -> bool:
    """Whether a name is as Python would write it (NFKC): expressions could not say another."""
    return unicodedata.normalize("NFKC", name) == name


def _bad(name: str, value: object, wanted: str, where: str) -> DefinitionError:
    return DefinitionError(f"`{name}` is {value!r}", where=where or None, hint=f"give {wanted}")


def _positive(name: str, value: Any, where: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and math.isfinite(value) and value > 0:
        return float(value)
    raise _bad(name, value, "a number above zero", where)


def _count(name: str, value: Any, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
        return value
    raise _bad(name, value, "a whole number, zero or more", where)


def _memory(name: str, value: Any, where: str) -> int | None:
    return None if value is None else quantities.size(value, name=name, where=where)


def _delay(name: str, value: Any, where: str) -> float:
    return quantities.seconds(value, name=name, where=where)


def _timeout(name: str, value: Any, where: str) -> float | None:
    if value is None:
        return None
    found = quantities.seconds(value, name=name, where=where)
    return _positive(name, found, where)


def _cache(name: str, value: Any, where: str) -> bool | float:
    return value if isinstance(value, bool) else quantities.seconds(value, name=name, where=where)


def _seed(name: str, value: Any, where: str) -> int | None:
    if value is None or (
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    ):
        return value
    raise _bad(name, value, "a whole number from 0 to 2**63 - 1", where)


def _version(name: str, value: Any, where: str) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise _bad(name, value, 'text, such as "2"', where)


def _flag(name: str, value: Any, where: str) -> bool:
    if isinstance(value, bool):
        return value
    raise _bad(name, value, "True or False", where)


def _impure(name: str, value: Any, where: str) -> str:
    if value in ("record", "ok"):
        return value
    raise _bad(name, value, '"record" or "ok"', where)


def _environment(name: str, value: Any, where: str) -> str | None:
    if value is None:
        return None
    wanted = 'the path of a lock, its folder, or a Dockerfile in the project, such as "envs/gpu"'
    parts = value.split("/") if isinstance(value, str) else []
    if not parts or "\0" in value or not {"", ".", ".."}.isdisjoint(parts) or len(value) > 1_000:
        raise _bad(name, value, wanted, where)
    return value


def _env(name: str, value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, list | tuple | set | frozenset):
        names = sorted(cast("Iterable[Any]", value), key=str)
        if all(isinstance(item, str) and _VARIABLE.fullmatch(item) for item in names):
            return tuple(dict.fromkeys(names))
    raise _bad(
        name,
        cast(object, value),
        'a list of names of environment variables, such as ["TOKEN"]',
        where,
    )


def _resources(name: str, value: Any, where: str) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise _bad(name, value, 'a dict such as {"tpu": 1}', where)
    table = cast("Mapping[Any, Any]", value)
    for key in table:
        if key in ("cpus", "gpus", "memory"):
            raise DefinitionError(
                f"`{key}` is an option of its own, not one of `resources`", where=where or None
            )
        check_name(key, "a resource", where=where)
    return {str(key): _positive(f"resources.{key}", item, where) for key, item in table.items()}


_READERS: dict[str, Callable[[str, Any, str], Any]] = {
    "cpus": _positive,
    "gpus": _count,
    "memory": _memory,
    "resources": _resources,
    "retries": _count,
    "retry_delay": _delay,
    "timeout": _timeout,
    "cache": _cache,
    "seed": _seed,
    "version": _version,
    "env": _env,
    "join": _flag,
    "impure": _impure,
    "environment": _environment,
    "deterministic": _flag,
}
