"""The verb `rerun`: a new run of a recorded one, from its own source and parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mainspring.app.pipelines import check_parameters
from mainspring.app.planning import Planned, make_plan
from mainspring.app.project import Project
from mainspring.app.running import load_spec
from mainspring.planning.graph import flatten
from mainspring.records.errors import NotFoundError
from mainspring.records.runs import Run
from mainspring.records.spec import GroupNode, PipelineSpec, RepeatNode


def rerun(
    project: Project,
    run: Run,
    *,
    parameters: Mapping[str, Any] | None = None,
    start_from: str | None = None,
    seed: int | None = None,
    wanted: Mapping[str, str] = {},
) -> Planned:
    """Return the plan of a new run: same source snapshot, parameters, seed and versions of
    datasets and models, with changes.

    With `start_from`, that task and all that depends on it run again whatever the cache says.
    Raises NotFoundError for a task that the run has not.
    """
    spec = load_spec(project, run)
    values = check_parameters(spec, {**run.parameters, **(parameters or {})})
    force = downstream_of(spec, values, start_from) if start_from else ()
    return make_plan(
        project,
        spec,
        run.snapshot,
        values,
        seed=run.seed if seed is None else seed,
        force=force,
        wanted=wanted,
        recorded=run.sources,
    )


def downstream_of(spec: PipelineSpec, parameters: Mapping[str, Any], start: str) -> set[str]:
    """Return the templates of a task and of everything that depends on it.

    An element or round (`train[3]`, `tune#2/train`) stands for the whole map or repeat.
    """
    nodes = flatten(spec, parameters).nodes
    name = start.partition("[")[0].partition("#")[0]
    found = {name} if name in nodes else {path for path in nodes if path.startswith(f"{name}/")}
    if not found:
        known = ", ".join(nodes)
        raise NotFoundError(f"the run has no task {start!r}", hint=f"there is {known}")
    for path, node in nodes.items():
        if found.intersection(node.deps):
            found.add(path)
    templates = {nodes[path].template for path in found}
    for path in found:
        work = nodes[path].work
        if isinstance(work, RepeatNode):
            templates.update(_templates(work.pipeline, f"{nodes[path].template}/"))
    return templates


def _templates(spec: PipelineSpec, prefix: str) -> Iterator[str]:
    """Yield the templates of all that a body holds, at every depth."""
    for node in spec.steps:
        if not isinstance(node, GroupNode):
            yield prefix + node.name
        if isinstance(node, GroupNode | RepeatNode):
            yield from _templates(node.pipeline, f"{prefix}{node.name}/")
