"""Names of classes in stored data, and how they are found again."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from mainspring.records.errors import SerializationError
from mainspring.storage.serializers.base import Unsupported, class_text


def class_name(cls: type, where: str) -> str:
    """`module:qualified.name`; raises Unsupported if the class can't be found by it."""
    name = f"{cls.__module__}:{cls.__qualname__}"
    found: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not cls:
        raise Unsupported(
            f"the class {class_text(cls)} can't be found by that name",
            where=where,
            hint="define the class at the top level of a module",
        )
    return name


def find_class(name: object, what: str, fits: Callable[[type], bool]) -> type:
    """The class that `class_name` named, which must be `what`, as `fits` tells."""
    module, _, path = name.partition(":") if isinstance(name, str) else ("", "", "")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise SerializationError(
            f"stored value needs the class {name}, which is not there any more",
            hint="bring the class back under that name, or run the step that made the value",
        ) from error
    if not isinstance(found, type) or not fits(found):
        raise SerializationError(f"stored value names {name} as {what}, but it is none")
    return found
