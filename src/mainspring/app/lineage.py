"""The verb `lineage`: from what an artifact was made, and what was made from it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from mainspring.app.artifacts import find_artifact
from mainspring.app.project import Project
from mainspring.app.views import ArtifactView, View, artifact_view
from mainspring.records.errors import NotFoundError
from mainspring.records.runs import Task

MOST = 1_000
"""Tasks in one answer."""

SHORTEST = 12
"""Hexadecimal digits by which an artifact can be named."""

_HEX = re.compile(rf"(?:blake3:)?([0-9a-f]{{{SHORTEST},64}})")


class LineageRun(View, frozen=True, kw_only=True):
    """A run that took part: what it was given. `snapshot` is its source."""

    pipeline: str
    created: float
    snapshot: str
    parameters: dict[str, Any]
    seed: int
    data: dict[str, str] = {}


class LineageNode(View, frozen=True, kw_only=True):
    """A task, and the tasks before it (`up`) or after it (`down`).

    `again` says that they are at the same task elsewhere in the answer. `inputs` are digest and
    short text by name, `code` the places of the code that ran; a reused task has `source` and the
    inputs of the task that it was reused from. `count` is the number of a map's elements.
    """

    run: str
    task: str
    kind: str
    status: str
    outputs: list[ArtifactView]
    inputs: dict[str, tuple[str, str]] = {}
    code: list[str] = []
    source: str | None = None
    count: int | None = None
    again: bool = False
    nodes: list[LineageNode] = []


class LineageView(View, frozen=True, kw_only=True):
    """`mainspring lineage`. `cut` says that there is more than `--depth` or 1,000 tasks allow."""

    artifact: str
    up: list[LineageNode]
    down: list[LineageNode]
    runs: dict[str, LineageRun]
    cut: bool = False
    format: str = "mainspring.lineage/1"


def lineage(
    project: Project, target: str, *, up: bool = True, down: bool = True, depth: int | None = None
) -> LineageView:
    """Return where an artifact comes from, and what was made from it in all runs.

    `target` is a digest (or its beginning), RUN/TASK, RUN/TASK.OUTPUT or RUN/TASK/OUTPUT. Raises
    NotFoundError.
    """
    digest, task = _resolved(project, target)
    makers = project.store.read.makers(digest, MOST)
    walk = _Walk(project, depth)
    before = [walk.node(task or makers[0], upward=True)] if up else []
    after = walk.each(makers, upward=False) if down else []
    runs = {run: _run(project, run) for run in sorted(walk.runs)}
    return LineageView(artifact=digest, up=before, down=after, runs=runs, cut=walk.cut)


def _resolved(project: Project, target: str) -> tuple[str, Task | None]:
    """The digest that is meant, and the task if one was named."""
    read = project.store.read
    found = _HEX.fullmatch(target)
    if found is not None:
        made = read.makers(found[1], MOST)
        names = {ref.digest for task in made for ref in read.outputs(task.id).values()}
        fitting = sorted(name for name in names if name[7:].startswith(found[1]))
        if len(fitting) > 1:
            what = f"{target!r} is the beginning of more than one artifact's digest"
            raise NotFoundError(what, hint="give more of it")
        if fitting:
            return fitting[0], None
        raise NotFoundError(
            f"no task has made an artifact with the digest {target!r}",
            hint="`mainspring artifacts list RUN --json` has the digests",
        )
    name, slash, rest = target.partition("/")
    if not slash:
        what = f"{target!r} names no artifact"
        raise NotFoundError(what, hint="write RUN/TASK, RUN/TASK.OUTPUT, or a digest")
    run = read.find_run(name)
    try:
        path, _, ref = find_artifact(project, run, rest)
    except NotFoundError:
        task, slash, output = rest.rpartition("/")
        if not slash:
            raise
        path, _, ref = find_artifact(project, run, f"{task}.{output}")
    return ref.digest, read.find_task(run.id, path)


def _run(project: Project, run: str) -> LineageRun:
    found = project.store.read.run(run)
    facts = project.store.read.facts([run])[run]
    return LineageRun(
        pipeline=found.pipeline,
        created=found.created,
        snapshot=found.snapshot,
        parameters=found.parameters,
        seed=found.seed,
        data={name[5:]: str(fact) for name, fact in facts.items() if name.startswith("data.")},
    )


class _Walk:
    """Goes from task to task along the edges of their runs, each task once in each direction."""

    def __init__(self, project: Project, depth: int | None) -> None:
        self._project = project
        self._read = project.store.read
        self._depth = 100 if depth is None else depth
        self._near: dict[str, _Near] = {}
        self._seen: set[tuple[int, bool]] = set()
        self.runs: set[str] = set()
        self.cut = False

    def each(self, tasks: Iterable[Task], *, upward: bool, level: int = 0) -> list[LineageNode]:
        """Nodes of tasks, as far as there is room."""
        found: list[LineageNode] = []
        for task in tasks:
            if level > self._depth or len(self._seen) >= MOST:
                self.cut = True
                break
            found.append(self.node(task, upward=upward, level=level))
        return found

    def node(self, task: Task, *, upward: bool, level: int = 0) -> LineageNode:
        """A task's node, with those that follow it."""
        made = self._computed(task) if upward else task
        again = (made.id, upward) in self._seen
        self._seen.add((made.id, upward))
        self.runs |= {task.run, made.run}
        next_ones = [] if again else self._next(made, upward)
        parts = self._read.key_parts(made.id)
        code = parts.static.code if parts is not None else ()
        outputs = self._read.outputs(task.id)
        return LineageNode(
            run=task.run,
            task=task.path,
            kind=task.kind,
            status=task.status.value,
            outputs=[artifact_view(task.path, name, ref) for name, ref in outputs.items()],
            inputs=parts.inputs if parts is not None else {},
            code=list(dict.fromkeys(part.where for part in code if part.where)),
            source=task.source,
            count=task.total if task.kind == "map" else None,
            again=again and bool(self._next(made, upward)),
            nodes=self.each(next_ones, upward=upward, level=level + 1),
        )

    def _computed(self, task: Task) -> Task:
        """The task that a reused one was reused from, if it is still on record."""
        run, slash, path = (task.source or "").partition("/")
        if not slash:
            return task
        try:
            return self._read.find_task(run, path)
        except NotFoundError:
            return task

    def _next(self, task: Task, upward: bool) -> list[Task]:
        """The tasks that a task has edges from or to; elements have those of their map."""
        near = self._near.get(task.run)
        if near is None:
            tasks = {top.id: top for top in self._read.top_tasks(task.run)}
            near = self._near[task.run] = _Near(tasks, self._read.edges(task.run))
        return near.of(task, upward)


class _Near:
    """The tasks of one run, without elements of maps, and what is before and after each."""

    def __init__(self, tasks: dict[int, Task], edges: Iterable[tuple[int, int]]) -> None:
        self._tasks = tasks
        self._up: dict[int, set[int]] = {}
        self._down: dict[int, set[int]] = {}
        for up, down in edges:
            self._up.setdefault(down, set()).add(up)
            self._down.setdefault(up, set()).add(down)

    def of(self, task: Task, upward: bool) -> list[Task]:
        """The tasks right before (or after) a task, or before the map that it is an element of."""
        side = self._up if upward else self._down
        own = side.get(task.id, set())
        shared = side.get(task.parent, set()) if task.parent is not None else set[int]()
        found = [self._tasks[other] for other in sorted(own | shared) if other in self._tasks]
        return [other for other in found if other.kind != "checkpoint"]
