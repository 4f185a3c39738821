"""The source of a pipeline whose steps are defined in a notebook: what its snapshot needs."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from mainspring.definition.cells.capture import Root, capture
from mainspring.definition.cells.modules import modules
from mainspring.records.notebook import is_cell
from mainspring.records.spec import GroupNode, PipelineSpec, RepeatNode, StepNode


def cell_modules(spec: PipelineSpec, main: ModuleType) -> dict[str, bytes]:
    """Return the modules that hold the spec's steps of the notebook, by path; none if all its steps
    are in files. Raises DefinitionError, naming the global, for what can't be captured."""
    roots = dict.fromkeys(_roots(spec))
    return modules(capture(vars(main), roots)) if roots else {}


def _roots(spec: PipelineSpec) -> Iterator[Root]:
    if _named(spec.bundle):
        yield Root(_name(spec.bundle), f"pipeline `{spec.name}`")
    for node in spec.steps:
        if isinstance(node, GroupNode | RepeatNode):
            yield from _roots(node.pipeline)
        elif isinstance(node, StepNode):
            for path in (node.uses, node.bundle):
                if _named(path):
                    yield Root(_name(path), f"step `{_name(node.uses)}`")


def _named(path: str | None) -> bool:
    return path is not None and is_cell(path.partition(":")[0])


def _name(path: str | None) -> str:
    return (path or "").partition(":")[0].rpartition(".")[2]
