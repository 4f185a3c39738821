"""Pipelines whose every result is recorded, reused when nothing changed, and made again."""

from __future__ import annotations

from importlib import import_module

# Type checkers take this name for true; importing it from typing would cost 5 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mainspring.app.api import runs as runs
    from mainspring.app.handle import Run as Run
    from mainspring.app.init import init as init
    from mainspring.definition.branches import when as when
    from mainspring.definition.checkpoint import checkpoint as checkpoint
    from mainspring.definition.command import command as command
    from mainspring.definition.container import container as container
    from mainspring.definition.notebook import notebook as notebook
    from mainspring.definition.pipeline import pipeline as pipeline
    from mainspring.definition.repeat import repeat as repeat
    from mainspring.definition.sources import Dataset as Dataset
    from mainspring.definition.sources import Model as Model
    from mainspring.definition.step import step as step
    from mainspring.execution.exchange import output as output
    from mainspring.execution.telemetry import context as context
    from mainspring.execution.telemetry import figure as figure
    from mainspring.execution.telemetry import log as log
    from mainspring.execution.telemetry import rng as rng
    from mainspring.execution.telemetry import table as table
    from mainspring.execution.telemetry import workdir as workdir
    from mainspring.records.errors import MainspringError as MainspringError
    from mainspring.records.formats import stored_as as stored_as

__version__ = "0.1.0"

# The public API: name -> module:attribute, imported when it is first asked for. A new public name
# is one line here, one import above (for type checkers), and one section in
# docs/reference/python.md.
_PUBLIC = {
    "Dataset": "mainspring.definition.sources:Dataset",
    "MainspringError": "mainspring.records.errors:MainspringError",
    "Model": "mainspring.definition.sources:Model",
    "Run": "mainspring.app.handle:Run",
    "checkpoint": "mainspring.definition.checkpoint:checkpoint",
    "command": "mainspring.definition.command:command",
    "container": "mainspring.definition.container:container",
    "context": "mainspring.execution.telemetry:context",
    "figure": "mainspring.execution.telemetry:figure",
    "init": "mainspring.app.init:init",
    "log": "mainspring.execution.telemetry:log",
    "notebook": "mainspring.definition.notebook:notebook",
    "output": "mainspring.execution.exchange:output",
    "pipeline": "mainspring.definition.pipeline:pipeline",
    "repeat": "mainspring.definition.repeat:repeat",
    "rng": "mainspring.execution.telemetry:rng",
    "runs": "mainspring.app.api:runs",
    "step": "mainspring.definition.step:step",
    "stored_as": "mainspring.records.formats:stored_as",
    "table": "mainspring.execution.telemetry:table",
    "when": "mainspring.definition.branches:when",
    "workdir": "mainspring.execution.telemetry:workdir",
}

__all__ = [
    "Dataset",
    "MainspringError",
    "Model",
    "Run",
    "__version__",
    "checkpoint",
    "command",
    "container",
    "context",
    "figure",
    "init",
    "log",
    "notebook",
    "output",
    "pipeline",
    "repeat",
    "rng",
    "runs",
    "step",
    "stored_as",
    "table",
    "when",
    "workdir",
]


# What `%load_ext mainspring` looks for: no part of the API.
_HOOKS = {
    name: f"mainspring.interactive.extension:{name}"
    for name in ("load_ipython_extension", "unload_ipython_extension")
}


def __getattr__(name: str) -> Any:
    path = _PUBLIC.get(name) or _HOOKS.get(name)
    if path is None:
        raise AttributeError(f"module 'mainspring' has no attribute {name!r}")
    module, _, attribute = path.partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
