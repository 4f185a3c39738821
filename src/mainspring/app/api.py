"""The verbs `run` and `plan` from Python: `digits.run(c=0.5)`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from mainspring import settings
from mainspring.app.handle import PlanHandle, Run
from mainspring.app.listing import make_search
from mainspring.app.occupancy import in_use
from mainspring.app.pipelines import check_parameters
from mainspring.app.planning import Planned, make_plan
from mainspring.app.project import Project
from mainspring.app.running import check_resources, create_run, drive, warm_up
from mainspring.definition import session
from mainspring.execution.context import Event
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
from mainspring.records.stores import RunFilter

if TYPE_CHECKING:
    from mainspring.definition.pipeline import Pipeline

_open: dict[tuple[Path, Path], Project] = {}


class Watch(Protocol):
    """Who follows a run at work: told of it when it is on record, then of each transition."""

    def begin(self, project: Project, run: str) -> None: ...
    def hear(self, event: Event) -> None: ...
    def stopping(self) -> None: ...
    def end(self) -> None: ...


def run_pipeline(
    pipeline: Pipeline[..., Any], parameters: dict[str, Any], *, watch: Watch | None = None
) -> Run[Any]:
    """Run a pipeline from Python and return the run, whatever it came to.

    The source that runs is the snapshot of the project (the nearest `mainspring.toml` above the
    pipeline's file) taken now; of a notebook, the snapshot holds what its cells have defined.
    Raises MainspringError for anything wrong before the start.
    """
    project = _project_of(pipeline)
    with in_use(project.home):
        return _run(project, _planned(project, pipeline, parameters), watch)


def plan_pipeline(pipeline: Pipeline[..., Any], parameters: dict[str, Any]) -> PlanHandle:
    """Return what a run with these parameters would do now. Raises MainspringError."""
    project = _project_of(pipeline)
    with in_use(project.home):
        return PlanHandle(_planned(project, pipeline, parameters).plan)


def runs(
    where: str | None = None,
    *,
    order_by: str | None = None,
    limit: int = 50,
    project: str | Path = ".",
) -> list[Run[Any]]:
    """Return recorded runs, newest first or in the order asked for; `limit` at most.

    `where` and `order_by` are texts as `mainspring runs` takes them; `project` is a directory in
    the project. Raises SearchError, ProjectError, StoreError.
    """
    search = make_search(where, order_by, RunFilter(limit=max(0, limit)))
    opened = open_project(Path(project))
    return [Run(opened, found.id) for found in opened.store.read.search(search)]


def _planned(project: Project, pipeline: Pipeline[..., Any], parameters: dict[str, Any]) -> Planned:
    main = session.notebook()
    if main is None:
        manifest, snapshot = project.snapshot()
        spec = importable(pipeline.spec, project.root)
    else:
        from mainspring.definition.cells import live, source

        live.enter(vars(main))
        spec = pipeline.spec
        manifest, snapshot = project.snapshot(made=source.cell_modules(spec, main))
    project.code(snapshot, manifest)
    values = check_parameters(spec, parameters)
    return make_plan(project, spec, snapshot, values, wanted=pipeline.wanted)


def _run(project: Project, planned: Planned, watch: Watch | None) -> Run[Any]:
    if planned.needs_workers:
        check_resources(project, planned.spec)
    executor = warm_up(project, planned)
    try:
        run = create_run(project, planned).id
        if watch is not None:
            watch.begin(project, run)
    except BaseException:
        executor.close()
        raise
    try:
        if not record_is_open(project, run):
            executor.close()
        elif watch is None:
            drive(project, [run], executor=executor)
        else:
            drive(
                project, [run], listener=watch.hear, executor=executor, on_interrupt=watch.stopping
            )
    finally:
        if watch is not None:
            watch.end()
    return Run(project, run)


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
    path = Path(str(sys.modules["__main__"].__file__)).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ProjectError(f"{path.name} lies outside of the project {root}")
    return path.stem


def _project_of(pipeline: Pipeline[..., Any]) -> Project:
    if session.notebook() is None or pipeline.__module__ != "__main__":
        return open_project(_folder_of(pipeline))
    folder = Path(session.folder())
    try:
        settings.find_root(folder)
    except ProjectError as error:
        hint = f"make {folder.name}/ a project, in a cell: `import mainspring; mainspring.init()`"
        raise ProjectError(error.what, hint=hint) from None
    return open_project(folder)


def _folder_of(pipeline: Pipeline[..., Any]) -> Path:
    name = pipeline.function.__code__.co_filename
    if name.startswith("<"):
        raise ProjectError(
            "a pipeline that is typed at a prompt can't be run",
            hint="put it into a file of a project",
        )
    return Path(name).resolve().parent
