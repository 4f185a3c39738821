"""The verb `run` from Python: `digits.run(c=0.5)`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring import settings
from mainspring.app.handle import Run
from mainspring.app.occupancy import in_use
from mainspring.app.pipelines import check_parameters
from mainspring.app.planning import make_plan
from mainspring.app.project import Project
from mainspring.app.running import check_resources, create_run, drive, warm_up
from mainspring.records.errors import ProjectError
from mainspring.records.spec import (
    CheckpointNode,
    CommandNode,
    GroupNode,
    PipelineSpec,
    RepeatNode,
    StepNode,
)
from mainspring.records.status import RUN_ENDED

if TYPE_CHECKING:
    from mainspring.definition.pipeline import Pipeline

_open: dict[tuple[Path, Path], Project] = {}


def run_pipeline(pipeline: Pipeline[..., Any], parameters: dict[str, Any]) -> Run[Any]:
    """Run a pipeline from Python and return the run, whatever it came to.

    The source that runs is the snapshot of the project (the nearest `mainspring.toml` above the
    pipeline's file) taken now. Raises MainspringError for anything wrong before the start.
    """
    project = open_project(_file_of(pipeline).parent)
    with in_use(project.home):
        return _run(project, pipeline, parameters)


def _run(project: Project, pipeline: Pipeline[..., Any], parameters: dict[str, Any]) -> Run[Any]:
    manifest, snapshot = project.snapshot()
    spec = importable(pipeline.spec, project.root)
    project.code(snapshot, manifest)
    planned = make_plan(project, spec, snapshot, check_parameters(spec, parameters))
    if planned.needs_workers:
        check_resources(project, spec)
    executor = warm_up(project, planned)
    try:
        record = create_run(project, planned)
    except BaseException:
        executor.close()
        raise
    if record_is_open(project, record.id):
        drive(project, [record.id], executor=executor)
    else:
        executor.close()
    return Run(project, record.id)


def record_is_open(project: Project, run: str) -> bool:
    """Whether anything of a run is left to do."""
    return project.store.read.run(run).status not in RUN_ENDED


def open_project(start: Path) -> Project:
    """Return the project that `start` lies in; one open project per root, home and process."""
    root = settings.find_root(start)
    key = (root, settings.home_of(root))
    if key not in _open:
        _open[key] = Project(root)
    return _open[key]


def importable(spec: PipelineSpec, root: Path) -> PipelineSpec:
    """Return the spec with steps of the started script (`__main__`) named by its module."""
    steps = tuple(_importable_node(node, root) for node in spec.steps)
    return msgspec.structs.replace(spec, steps=steps, bundle=_importable_name(spec.bundle, root))


def _importable_name(path: str | None, root: Path) -> str | None:
    module, _, name = (path or "").partition(":")
    return f"{_main_module(root)}:{name}" if module == "__main__" and name else path


def _importable_node(
    node: StepNode | CommandNode | CheckpointNode | GroupNode | RepeatNode, root: Path
) -> Any:
    if isinstance(node, GroupNode | RepeatNode):
        return msgspec.structs.replace(node, pipeline=importable(node.pipeline, root))
    if isinstance(node, StepNode):
        uses, bundle = (_importable_name(path, root) for path in (node.uses, node.bundle))
        return msgspec.structs.replace(node, uses=uses, bundle=bundle)
    return node


def _main_module(root: Path) -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None:
        raise ProjectError(
            "steps that are typed at a prompt can't be run by workers",
            hint="put them into a file of the project and import it",
        )
    path = Path(file).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ProjectError(f"{path.name} lies outside of the project {root}")
    return path.stem


def _file_of(pipeline: Pipeline[..., Any]) -> Path:
    name = pipeline.function.__code__.co_filename
    if name.startswith("<"):
        raise ProjectError(
            "a pipeline that is typed at a prompt can't be run",
            hint="put it into a file of a project",
        )
    return Path(name).resolve()
