"""What `pipeline.run()` returns: a run with typed access to its results."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, cast

from mainspring.app.annotations import annotations_of
from mainspring.app.project import Project
from mainspring.app.running import load_spec
from mainspring.definition.bundles import rebuild
from mainspring.execution.inputs import MISSING, value_of
from mainspring.planning.expand import RunGraph
from mainspring.planning.resolve import Resolver
from mainspring.records.artifacts import ArtifactRef, Stored
from mainspring.records.errors import DefinitionError, NotFoundError, RunFailedError
from mainspring.records.plan import Plan, PlannedTask
from mainspring.records.runs import Task, TaskError
from mainspring.records.status import RunStatus, TaskStatus
from mainspring.records.stores import Upstream
from mainspring.storage.serializers import registry

R = TypeVar("R")

SHOWN = "mainspring.interactive.shown"
"""Who draws for notebooks: found by name, as this layer may not import that one."""


class TaskHandle:
    """One task of a run: `status`, `reason`, `error`, `artifacts`; `output(name)` and `value`
    load results."""

    def __init__(self, project: Project, task: Task) -> None:
        self._project = project
        self._task = task
        self.path = task.path
        self.status: TaskStatus = task.status
        self.reason = task.reason
        self.error: TaskError | None = task.error

    def __repr__(self) -> str:
        return f"<task {self.path}: {self.status.value}>"

    @cached_property
    def artifacts(self) -> Mapping[str, ArtifactRef]:
        """References to the outputs, by name."""
        return self._project.store.read.outputs(self._task.id)

    def output(self, name: str = "result") -> Any:
        """Return the value of an output. Raises NotFoundError."""
        if name not in self.artifacts:
            known = ", ".join(self.artifacts) or "none"
            raise NotFoundError(f"{self.path} has no output {name!r}", hint=f"there is {known}")
        work = self._project.home / "cache" / "opened" / self._task.run
        return registry.load(self.artifacts[name], self._project.blobs, workdir=work)

    @cached_property
    def value(self) -> Any:
        """The value of the only output, or all outputs as attributes."""
        if list(self.artifacts) == ["result"]:
            return self.output()
        return SimpleNamespace(**{name: self.output(name) for name in self.artifacts})


class PlanHandle:
    """What a run would do now: `tasks` by path, each with `choice` and `reason`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __repr__(self) -> str:
        counts = Counter(task.choice.value for task in self.plan.tasks)
        said = ", ".join(f"{count} {choice}" for choice, count in counts.items())
        return f"<plan of {self.plan.pipeline}: {said or 'nothing to do'}>"

    def _repr_html_(self) -> str:
        return import_module(SHOWN).plan(self)

    @property
    def tasks(self) -> dict[str, PlannedTask]:
        """The planned tasks by path."""
        return {task.path: task for task in self.plan.tasks}


class Run(Generic[R]):
    """A recorded run. `result` is what the pipeline function returns, as values."""

    def __init__(self, project: Project, id: str) -> None:
        self.project = project
        self.id = id

    def __repr__(self) -> str:
        return f"<run {self.id}: {self.status.value}>"

    def _repr_html_(self) -> str:
        return import_module(SHOWN).run(self)

    @property
    def status(self) -> RunStatus:
        """The present status, read from the store."""
        return self.project.store.read.run(self.id).status

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the run."""
        return self.project.store.read.run(self.id).parameters

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric, by `task/name`."""
        found = self.project.store.read.metrics(self.id)
        return {f"{metric.task}/{metric.name}": metric.last for metric in found}

    @property
    def tags(self) -> dict[str, str]:
        """The run's tags; a mark without a value is an empty text."""
        return annotations_of(self.project, self.project.store.read.run(self.id)).tags

    @property
    def note(self) -> str | None:
        """What was written about the run."""
        return annotations_of(self.project, self.project.store.read.run(self.id)).note

    @property
    def tasks(self) -> dict[str, TaskHandle]:
        """All tasks by path."""
        found = self.project.store.read.tasks(self.id)
        return {task.path: TaskHandle(self.project, task) for task in found}

    def task(self, path: str) -> TaskHandle:
        """Return one task. Raises NotFoundError."""
        return TaskHandle(self.project, self.project.store.read.find_task(self.id, path))

    def __getitem__(self, path: str) -> Any:
        """Return the value of a task's output (or its outputs as attributes)."""
        return self.task(path).value

    @property
    def result(self) -> R:
        """What the pipeline returned. Raises RunFailedError when the run did not succeed."""
        self.raise_for_status()
        values = self.outputs
        if list(values) == ["result"]:
            return cast("R", values["result"])
        bundle = load_spec(self.project, self.project.store.read.run(self.id)).bundle
        return cast("R", _as_one(bundle, values))

    @property
    def outputs(self) -> dict[str, Any]:
        """The pipeline's outputs by name, as values. Raises RunFailedError."""
        self.raise_for_status()
        record = self.project.store.read.run(self.id)
        graph = RunGraph(load_spec(self.project, record), record.parameters, record.sources).graph
        tasks = {task.path: task for task in self.project.store.read.top_tasks(self.id)}

        def upstream(path: str) -> Upstream:
            task = tasks[path]
            return Upstream(status=task.status, outputs=self.project.store.read.outputs(task.id))

        resolver = Resolver(upstream, self.project.artifacts, graph)
        work = self.project.home / "cache" / "opened" / self.id

        def load(stored: Stored) -> Any:
            return registry.load(
                stored.ref,
                self.project.blobs,
                index=stored.index,
                element=stored.element,
                workdir=work,
            )

        values = {name: value_of(resolver.input(b), load) for name, b in graph.outputs.items()}
        return {name: None if value is MISSING else value for name, value in values.items()}

    def raise_for_status(self) -> None:
        """Raise RunFailedError, naming the first failed task, unless the run succeeded."""
        status = self.status
        if status is RunStatus.SUCCEEDED:
            return
        found = self.project.store.read.tasks(self.id, status=TaskStatus.FAILED, limit=1000)
        failed = [task for task in found if task.error is not None]
        # A map or repeat that failed for its children's sake says less than they do.
        failed.sort(key=lambda task: task.error is not None and task.error.kind == "children")
        if failed and failed[0].error is not None:
            error = failed[0].error
            what = f"run {self.id} failed: {failed[0].path}: {error.kind}: {error.message}"
            raise RunFailedError(what, where=error.where or None, hint=error.hint or None)
        raise RunFailedError(f"run {self.id} is {status.value}")


def _as_one(bundle: str | None, values: dict[str, Any]) -> Any:
    """The one value that outputs form: of the class that the pipeline made of them, if that can
    be imported here, else with the outputs as attributes."""
    if bundle is None:
        return values
    module, _, name = bundle.partition(":")
    main = sys.modules.get("__main__")
    if module == Path(getattr(main, "__file__", None) or "").stem and hasattr(main, name):
        bundle = f"__main__:{name}"  # the script that was started, under its name for workers
    try:
        return rebuild(bundle, values)
    except DefinitionError:
        return SimpleNamespace(**values)
