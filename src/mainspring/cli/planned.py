"""From the project's source as it is now to a plan: the beginning of `plan` and of `run`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.records.source import Manifest

if TYPE_CHECKING:
    from mainspring.app.planning import Planned
    from mainspring.app.project import Project


def plan_now(
    project: Project,
    pipeline: str | None,
    parameters: Mapping[str, str],
    *,
    seed: int | None = None,
    force: Iterable[str] = (),
    wanted: Mapping[str, str] = {},
) -> Planned:
    """Return what a run would do now.

    The pipeline is imported from a snapshot of the source, so that what is traced is what is
    recorded, whatever an editor writes meanwhile. `wanted` are versions of datasets and models
    (`datasets.digits` -> `v2`). Raises MainspringError.
    """
    from mainspring.app.pipelines import check_parameters, load_pipeline
    from mainspring.app.planning import make_plan

    manifest, snapshot = project.snapshot()
    directory = project.materialise(snapshot)
    import_from(directory, manifest, project.root)
    spec = load_pipeline(project, pipeline, directory)
    values = check_parameters(spec, parameters)
    forced = check_steps(spec, force)
    project.code(snapshot, manifest)
    return make_plan(project, spec, snapshot, values, seed=seed, force=forced, wanted=wanted)


def import_from(directory: Path, manifest: Manifest, root: Path) -> None:
    """Have modules of the project come from `directory`, and never from the working tree."""
    sys.dont_write_bytecode = True
    roots = [str(directory / place) if place else str(directory) for place in manifest.roots]
    outside = [entry for entry in sys.path if not _is_inside(entry, root)]
    sys.path[:] = [*roots, *outside]


def _is_inside(entry: str, root: Path) -> bool:
    """Whether a place on sys.path is the project's own source (an environment in it is not)."""
    path = Path(entry).absolute() if entry else Path.cwd()
    if not path.is_relative_to(root):
        return False
    return not any(
        part.startswith(".") or part == "site-packages" for part in path.relative_to(root).parts
    )


def check_steps(spec: object, force: Iterable[str]) -> set[str]:
    """Return the names of steps to be forced. Raises DefinitionError for one that is not there."""
    from difflib import get_close_matches

    from mainspring.records.errors import DefinitionError
    from mainspring.records.spec import PipelineSpec

    wanted = set(force)
    if not wanted:
        return wanted
    assert isinstance(spec, PipelineSpec)
    known = list(_templates(spec, ""))
    for name in sorted(wanted):
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known)}"
            raise DefinitionError(f"{spec.name} has no step {name!r}", hint=hint)
    return wanted


def _templates(spec: object, prefix: str) -> Iterable[str]:
    from mainspring.records.spec import CommandNode, GroupNode, PipelineSpec, RepeatNode, StepNode

    assert isinstance(spec, PipelineSpec)
    for node in spec.steps:
        if isinstance(node, StepNode | CommandNode):
            yield prefix + node.name
        elif isinstance(node, GroupNode | RepeatNode):
            yield from _templates(node.pipeline, f"{prefix}{node.name}/")
