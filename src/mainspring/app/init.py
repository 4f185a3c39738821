"""The verb `init`: a project that runs as it stands."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path

from mainspring import settings
from mainspring.records.errors import ConflictError, ProjectError

IGNORED = ".mainspring/"

_SETTINGS = """\
[project]
name = "{name}"
pipelines = ["pipeline:scores"]  # the first one is what `mainspring run` runs
"""

_PIPELINE = '''\
"""A first pipeline: draw numbers, look at each, judge the whole."""

import random
from dataclasses import dataclass

from mainspring import checkpoint, pipeline, step


@dataclass
class Summary:
    """Each field becomes an artifact of its own."""

    mean: float
    largest: float


@step
def draw(count: int) -> list[float]:
    """The seed of `random` is set from the run's seed: the same run draws the same numbers."""
    return [random.random() for _ in range(count)]


@step
def square(value: float) -> float:
    return value * value


@step
def summarise(values: list[float]) -> Summary:
    print(f"{len(values)} values")
    return Summary(mean=sum(values) / len(values), largest=max(values))


@pipeline
def scores(count: int = 8):
    numbers = draw(count)
    squares = square.map(numbers)
    summary = summarise(squares)
    checkpoint("in-range", summary.mean <= 1.0, kind="data")
    return summary.mean
'''


def init(directory: str | PathLike[str] = ".") -> None:
    """Make the directory (of a notebook, say) a project, unless it lies in one already.

    All that it needs is a `mainspring.toml` with a name. Raises ProjectError when that can't be
    written.
    """
    root = Path(directory).absolute()
    try:
        settings.find_root(root)
    except ProjectError:
        try:
            text = f'[project]\nname = "{_name(root)}"\n'
            (root / settings.FILE).write_text(text, "utf-8")
            _ignore(root / ".gitignore")
        except OSError as error:
            raise _unwritten(error, root) from None


def init_project(directory: Path) -> list[Path]:
    """Make a project in `directory` (made if it is missing); return the files written.

    Nothing that is there is changed, but for a line that `.gitignore` gets. Raises ConflictError
    when there is a project already.
    """
    if (directory / settings.FILE).exists():
        raise ConflictError(f"{directory / settings.FILE} exists already")
    texts = {settings.FILE: _SETTINGS.format(name=_name(directory)), "pipeline.py": _PIPELINE}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if (directory / "pipeline.py").exists():
            raise ConflictError(
                f"{directory / 'pipeline.py'} exists already",
                hint=f"write {settings.FILE} by hand, or choose another directory",
            )
        for name, text in texts.items():
            (directory / name).write_text(text, "utf-8")
        return [*(directory / name for name in texts), *_ignore(directory / ".gitignore")]
    except OSError as error:
        raise _unwritten(error, directory) from None


def _unwritten(error: OSError, directory: Path) -> ProjectError:
    return ProjectError(f"can't write: {error.strerror}", where=str(error.filename or directory))


def _ignore(path: Path) -> list[Path]:
    text = path.read_text("utf-8") if path.exists() else ""
    if IGNORED in text.splitlines():
        return []
    gap = "" if not text or text.endswith("\n") else "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{gap}{IGNORED}\n")
    return [path]


def _name(directory: Path) -> str:
    name = re.sub(r"[^\w.-]+", "-", directory.absolute().name).strip("-")
    return name or "project"
