"""Projects with steps in files of their own, planned and run in this process without a CLI."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from mainspring.app.planning import Planned, make_plan
from mainspring.app.project import Project
from mainspring.app.running import create_run, drive, warm_up
from mainspring.records.runs import Run
from mainspring.records.spec import Options, PipelineSpec, StepNode


def step(step_name: str, bindings: dict[str, Any] | None = None, **more: Any) -> StepNode:
    """A step `flow:<name>`; options (`retries=2`) may stand beside the fields of a node."""
    fields = {key: more.pop(key) for key in list(more) if key in StepNode.__struct_fields__}
    return StepNode(
        name=step_name, uses=fields.pop("uses", f"flow:{step_name}"), bindings=bindings or {},
        outputs=fields.pop("outputs", {"result": "any"}), options=Options(**more), **fields,
    )  # fmt: skip


def pipeline(*steps: Any, **more: Any) -> PipelineSpec:
    return PipelineSpec(name=more.pop("name", "p"), steps=steps, **more)


def write(root: Path, text: str, name: str = "flow.py") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(textwrap.dedent(text), "utf-8")


def plan(project: Project, spec: PipelineSpec, **parameters: Any) -> Planned:
    """Plan with the source as it is now; `force` and `seed` are those of `make_plan`."""
    more = {key: parameters.pop(key) for key in ("force", "seed") if key in parameters}
    _, snapshot = project.snapshot([""])
    return make_plan(project, spec, snapshot, parameters, **more)


def recorded(project: Project, spec: PipelineSpec, **parameters: Any) -> Run:
    """Put a run on record and leave it alone."""
    return create_run(project, plan(project, spec, **parameters))


def run(project: Project, spec: PipelineSpec, **parameters: Any) -> Run:
    """Run to its end; the record as it is then."""
    planned = plan(project, spec, **parameters)
    executor = warm_up(project, planned)
    record = create_run(project, planned)
    drive(project, [record.id], executor=executor)
    return project.store.read.run(record.id)


def states(project: Project, record: Run) -> dict[str, str]:
    return {task.path: task.status.value for task in project.store.read.tasks(record.id)}


def reasons(project: Project, record: Run) -> dict[str, str | None]:
    return {task.path: task.reason for task in project.store.read.tasks(record.id)}
