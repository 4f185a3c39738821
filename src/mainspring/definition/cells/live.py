"""In the notebook's own process the modules of its cells are the notebook: values that a worker has
made of a class of a cell come back as instances of the class that is there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from mainspring.definition import session
from mainspring.definition.pipeline import Pipeline
from mainspring.definition.step import StepDefinition
from mainspring.records.notebook import is_cell


def enter(namespace: dict[str, Any]) -> None:
    """Make `__notebook__.X` importable here, and have steps and pipelines look at the names anew:
    a cell may have been run again since they were traced."""
    if not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.append(_Finder())
    for value in list(namespace.values()):
        if isinstance(value, StepDefinition | Pipeline):
            value.renew()


class _Finder:
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if not is_cell(name) or session.notebook() is None:
            return None
        return ModuleSpec(name, self, is_package="." not in name)  # pyright: ignore[reportArgumentType]

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        del spec

    def exec_module(self, module: ModuleType) -> None:
        def find(name: str) -> Any:
            if name.startswith("__") or "." not in module.__name__:
                raise AttributeError(name)
            return getattr(sys.modules["__main__"], name)

        module.__dict__["__getattr__"] = find
