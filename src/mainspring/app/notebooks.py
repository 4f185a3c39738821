"""The verb `notebook`: a notebook as a pipeline of one step, and its executed copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.app.artifacts import copy_out
from mainspring.app.pipelines import check_parameters
from mainspring.app.planning import Planned, make_plan
from mainspring.app.project import Project
from mainspring.definition import notebook
from mainspring.definition.locations import set_root
from mainspring.records.errors import NotFoundError, ProjectError
from mainspring.records.spec import Options


def plan_notebook(
    project: Project,
    path: Path,
    parameters: Mapping[str, Any],
    *,
    seed: int | None = None,
    force: bool = False,
) -> Planned:
    """Return the plan of a run that executes one notebook of the project.

    Its parameters are those of the notebook. Raises MainspringError.
    """
    inside = _inside(project, path)
    manifest, snapshot = project.snapshot()
    set_root(project.materialise(snapshot))
    definition = notebook.define(inside, {}, name=None, where="", run_options=Options())
    spec = notebook.alone(definition, parameters)
    project.code(snapshot, manifest)
    values = check_parameters(spec, parameters)
    forced = (definition.name,) if force else ()
    return make_plan(project, spec, snapshot, values, seed=seed, force=forced)


def _inside(project: Project, path: Path) -> str:
    full = os.path.realpath(path)
    root = os.path.realpath(project.root)
    if not os.path.isfile(full):
        raise NotFoundError(f"there is no notebook {path}")
    if not full.startswith(root + os.sep):
        raise ProjectError(f"{path} lies outside of the project {project.root}")
    return os.path.relpath(full, root).replace(os.sep, "/")


def check_target(path: Path, target: Path) -> None:
    """Raise ProjectError if the executed notebook can't be written to `target`."""
    if os.path.realpath(path) == os.path.realpath(target):
        raise ProjectError(f"{target} is the notebook itself", hint="-o takes another name")
    if not target.absolute().parent.is_dir():
        raise ProjectError(f"there is no directory {target.parent}")


def write_executed(project: Project, run: str, target: Path) -> None:
    """Write the notebook that a run has executed, or has begun to execute, to a file.

    Raises NotFoundError if the run did not get so far.
    """
    [task] = project.store.read.top_tasks(run)
    ref = project.store.read.outputs(task.id).get(notebook.EXECUTED)
    if ref is not None:
        copy_out(project, ref, target, force=True)
        return
    attempts = project.store.read.attempts(task.id)
    begun = project.home / "attempts" / attempts[-1].id / "notebook.ipynb" if attempts else None
    if begun is None or not begun.is_file():
        raise NotFoundError("no cell of the notebook was executed")
    shutil.copyfile(begun, target)
