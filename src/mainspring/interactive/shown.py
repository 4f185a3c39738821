"""What a notebook shows of a pipeline, a plan or a run that is the value of a cell."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.app.handle import PlanHandle, Run
from mainspring.app.showing import run_detail
from mainspring.cli import wording
from mainspring.definition import session
from mainspring.definition.pipeline import Pipeline
from mainspring.interactive import pages
from mainspring.interactive.drawing import Arrow, Shape
from mainspring.planning.graph import flatten
from mainspring.records.errors import MainspringError
from mainspring.records.notebook import is_notebook
from mainspring.records.spec import PipelineSpec, StepNode


def pipeline(shown: Pipeline[..., Any]) -> str:
    """A pipeline's graph; or, if it can't be traced, what is wrong with it."""
    try:
        main = session.notebook()
        if main is not None:
            from mainspring.definition.cells import live

            live.enter(vars(main))  # a cell may have been run again
        spec = shown.spec
    except MainspringError as error:
        return pages.error_page(error)
    shapes, arrows = graph(spec)
    defaults = {name: one.default for name, one in spec.parameters.items()
                if one.default is not msgspec.UNSET}  # fmt: skip
    needed = [name for name in spec.parameters if name not in defaults]
    about = " ".join([*needed, wording.settings(defaults)]).strip()
    return pages.pipeline_page(spec.name, shapes, arrows, about)


def plan(shown: PlanHandle) -> str:
    """A plan as a table, with its graph."""
    tasks = {task.path for task in shown.plan.tasks}
    arrows = [
        Arrow(dep, task.path)
        for task in shown.plan.tasks
        for dep in task.deps
        if dep in tasks and task.kind != "element"
    ]
    return pages.plan_page(shown.plan, arrows)


def run(shown: Run[Any]) -> str:
    """A run as it stands now."""
    return pages.run_page(run_detail(shown.project, shown.project.store.read.run(shown.id)))


def graph(spec: PipelineSpec) -> tuple[list[Shape], list[Arrow]]:
    """A pipeline's nodes and edges, to be drawn."""
    values = {
        name: None if one.default is msgspec.UNSET else one.default
        for name, one in spec.parameters.items()
    }
    nodes = flatten(spec, values).nodes
    shapes: list[Shape] = []
    for path, node in nodes.items():
        whole = isinstance(node.work, StepNode) and is_notebook(node.work.uses)
        kind = "notebook" if whole and node.kind == "step" else node.kind
        shapes.append(Shape(path, kind, note=node.work.where))
    arrows = [
        Arrow(dep, path, guard=dep in node.guards)
        for path, node in nodes.items()
        for dep in node.deps
    ]
    return shapes, arrows
