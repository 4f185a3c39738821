"""Importing what a text names: "module:name", a step or a pipeline of the project."""

from __future__ import annotations

import difflib
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from mainspring.definition.locations import at, of_error
from mainspring.records.errors import DefinitionError, MainspringError


def load(uses: str, kind: Any, word: str, *, where: str = "") -> Any:
    """Return the object of class `kind` that "module:name" names; `word` is what users call it.

    Raises DefinitionError, with the place in the module when importing it fails.
    """
    module_name, _, path = uses.partition(":")
    parts = [*module_name.split("."), *path.split(".")]
    if not all(part.isidentifier() for part in parts):
        raise DefinitionError(
            f"`{uses}` names no {word}", where=where or None, hint="write module:name"
        )
    module = _module(module_name, where)
    found: Any = module
    for part in path.split("."):
        found = getattr(found, part, None)
    if isinstance(found, kind):
        return found
    if found is None:
        raise _missing(module, path, kind, word, where)
    hint = f"put @{word} on it" if callable(found) else f"name a {word}"
    raise DefinitionError(
        f"`{uses}` is a {type(found).__name__}, not a {word}", where=where or None, hint=hint
    )


def _missing(module: ModuleType, path: str, kind: Any, word: str, where: str) -> DefinitionError:
    known = [name for name, value in vars(module).items() if isinstance(value, kind)]
    near = difflib.get_close_matches(path, known, 1)
    hint = f"it has {', '.join(known)}" if known else f"it has no {word}s"
    return DefinitionError(
        f"module `{module.__name__}` has no {word} `{path}`",
        where=where or None,
        hint=f"did you mean `{near[0]}`?" if near else hint,
    )


def _module(name: str, where: str) -> Any:
    try:
        return sys.modules.get(name) or import_module(name)
    except MainspringError:
        raise
    except ModuleNotFoundError as error:
        missing = error.name or name
        why = "" if missing == name else f": it imports `{missing}`, which is not installed"
        raise DefinitionError(
            f"there is no module `{name}`"
            if not why
            else f"module `{name}` can't be imported{why}",
            where=where or None,
            hint="modules are looked up in the project's directory" if not why else None,
        ) from None
    except SyntaxError as error:
        place = at(error.filename or name, error.lineno or 0)
        raise DefinitionError(f"module `{name}`: {error.msg}", where=place) from None
    except (Exception, SystemExit) as error:
        raise DefinitionError(
            f"importing module `{name}` failed: {type(error).__name__}: {error}",
            where=of_error(error) or where or None,
        ) from error
