"""`%load_ext mainspring`: live runs in cells, and the magic `%mainspring`."""

from __future__ import annotations

import difflib
import shlex
from importlib import import_module
from typing import Any, cast

from mainspring.app.api import plan_pipeline, run_pipeline
from mainspring.app.handle import Run
from mainspring.cli.program import execute
from mainspring.definition.pipeline import Pipeline
from mainspring.interactive.progress import Display, Picture, Progress
from mainspring.records.errors import MainspringError, ParameterError

FORWARDED = (
    *("runs", "show", "why", "logs", "artifacts", "resume", "rerun", "pause", "cancel", "doctor"),
)
"""Verbs of the command line that the magic takes as they are."""

_USAGE = (
    "%mainspring plan PIPELINE [name=value ...], %mainspring run PIPELINE [name=value ...], "
    f"or a verb of the command line: {', '.join(FORWARDED)}"
)


def load_ipython_extension(shell: Any) -> None:
    """Show the runs that cells start while they work, and define `%mainspring`."""
    Pipeline.runner = _run_shown if hasattr(shell, "kernel") else None
    shell.register_magic_function(_Magic(shell), "line", "mainspring")


def unload_ipython_extension(shell: Any) -> None:
    """Undo `load_ipython_extension`."""
    Pipeline.runner = None
    shell.magics_manager.magics["line"].pop("mainspring", None)


def _run_shown(pipeline: Pipeline[..., Any], parameters: dict[str, Any]) -> Run[Any]:
    return run_pipeline(pipeline, parameters, watch=Progress(_show))


def _show(picture: Picture) -> Display:
    display: Any = import_module("IPython.display").display
    return display(picture, display_id=True)


class _Magic:
    """The magic's function: IPython reads its name and its docstring."""

    __name__ = "mainspring"

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.__doc__ = f"{_USAGE}."

    def __call__(self, line: str) -> Any:
        verb, *words = shlex.split(line) or [""]
        if verb in FORWARDED:
            execute([verb, *words])
            return None
        if verb not in ("plan", "run") or not words:
            near = difflib.get_close_matches(verb, ("plan", "run", *FORWARDED), 1)
            hint = f"did you mean {near[0]!r}?" if near and verb != near[0] else _USAGE
            raise MainspringError(f"%mainspring can't {verb or 'do nothing'}", hint=hint)
        pipeline = self._pipeline(words[0])
        parameters = dict(self._parameter(word) for word in words[1:])
        if verb == "plan":
            return plan_pipeline(pipeline, parameters)
        return _run_shown(pipeline, parameters)

    def _pipeline(self, name: str) -> Pipeline[..., Any]:
        names: dict[str, Any] = self._shell.user_ns
        found = names.get(name)
        if isinstance(found, Pipeline):
            return cast("Pipeline[..., Any]", found)
        known = [key for key, value in names.items() if isinstance(value, Pipeline)]
        hint = f"there is {', '.join(known)}" if known else "it has no @pipeline function"
        raise MainspringError(f"the notebook has no pipeline {name!r}", hint=hint)

    def _parameter(self, word: str) -> tuple[str, Any]:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ParameterError(f"a parameter is NAME=VALUE, not {word!r}")
        return name, value
