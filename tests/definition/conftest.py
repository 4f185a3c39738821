"""Modules written for one test: imported from a project of their own, and forgotten after it."""

import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from mainspring.records.spec import PipelineSpec

_numbers = itertools.count()

PRELUDE = """\
from __future__ import annotations
import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict
import numpy as np
from mainspring import checkpoint, command, pipeline, repeat, step, when

class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"

@dataclass
class Scores:
    accuracy: float
    label: str

@step
def load(path: str = "a.csv") -> np.ndarray: ...
@step
def number(x: int = 1) -> float: ...
@step
def flag() -> bool: ...
@step
def mode() -> Literal["fast", "slow"]: ...
@step
def color() -> Color: ...
@step
def maybe() -> float | None: ...
@step
def names() -> list[str]: ...
@step
def numbers() -> list[float]: ...
@step
def pair() -> tuple[int, str]: ...
@step
def untyped(x=None, y=None): ...
@step
def train(x: np.ndarray, c: float = 1.0) -> float: ...
@step
def evaluate(c: float) -> Scores: ...
@step
def report(scores: Scores) -> str: ...
@step
def take_path(path: Path) -> int: ...
@step
def take_names(items: list[str]) -> int: ...
@step
def take_choice(choice: Literal["a", "b"]) -> int: ...
@step(join=True)
def join_strict(a: float) -> float: ...
@step(join=True)
def join_loose(a: float | None, b: float = 0.0) -> float: ...

@pipeline
def inner(c: float = 1.0):
    return number(3), evaluate(c)

@pipeline
def rounds(c: float, fixed: str = "s"):
    return {"c": number(), "score": evaluate(c).accuracy}
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Return a function that imports a module from text (after PRELUDE), as `pipe.py`."""
    (tmp_path / "mainspring.toml").write_text("")
    made: list[str] = []

    def write(body: str, prelude: str = PRELUDE) -> ModuleType:
        name = f"mainspring_test_pipe_{next(_numbers)}"
        path = tmp_path / "pipe.py"
        path.write_text(prelude + body, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        made.append(name)
        spec.loader.exec_module(module)
        return module

    yield write
    for name in made:
        sys.modules.pop(name, None)


def marked_line(body: str, prelude: str = PRELUDE) -> int:
    """Return the line number of the line that ends in `# !`."""
    lines = (prelude + body).splitlines()
    return next(i for i, line in enumerate(lines, 1) if line.rstrip().endswith("# !"))


def without_places(spec: PipelineSpec) -> PipelineSpec:
    """Return a spec without its file:line parts, which depend on who wrote it."""

    def node(one):
        inner = {"pipeline": without_places(one.pipeline)} if hasattr(one, "pipeline") else {}
        return msgspec.structs.replace(one, where="", **inner)

    return msgspec.structs.replace(spec, where="", steps=tuple(node(one) for one in spec.steps))


def nodes(module, name="main"):
    return {node.name: node for node in getattr(module, name).spec.steps}


def traced(project, body, **kwargs):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return nodes(
        project(f"\n@pipeline\ndef main(p: float = 1.0, q: str = 'a'):\n{lines}", **kwargs)
    )
