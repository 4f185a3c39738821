"""Tasks as they are recorded: adding them, and reading them with their edges and artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mainspring.records.artifacts import ArtifactRef
from mainspring.records.errors import NotFoundError
from mainspring.records.runs import Task
from mainspring.records.status import TASK_SETTLED, TaskStatus
from mainspring.records.stores import NewTask, Upstream
from mainspring.storage.nouns import Reading, Writing
from mainspring.storage.rows import (
    TASK_STATUS,
    artifact_of,
    artifact_rows,
    inputs_of,
    json_text,
    seed_text,
    task_of,
    upstream_of,
)
from mainspring.storage.runs import no_run
from mainspring.storage.sessions import Row
from mainspring.storage.statements import NO_LIMIT, statements

_SQL = statements("tasks")
_PAGE = 1000  # children of a map that are read at a time
_PIPELINE = statements("runs")["pipeline"]


def no_task(task: int) -> NotFoundError:
    """The error for a task that is not there."""
    return NotFoundError(f"there is no task {task}")


def no_path(run: str, path: str, paths: Iterable[str]) -> NotFoundError:
    """The error for a path that a run does not have, with the nearest of its (top) `paths`."""
    from difflib import get_close_matches

    known = list(paths)
    whole = path.rpartition("[")[0]
    near = get_close_matches(path, known, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"`mainspring show {run}` lists them"
    if whole in known:
        hint = f"`mainspring show {run} {whole}` says how many elements it has"
    return NotFoundError(f"run {run} has no task {path!r}", hint=hint)


class TaskReader(Reading):
    """Tasks, edges and artifacts of a run."""

    def tasks(
        self,
        run: str,
        *,
        parent: int | None = None,
        status: TaskStatus | None = None,
        limit: int | None = None,
        after: int = 0,
    ) -> list[Task]:
        assert parent is None or status is None
        most = NO_LIMIT if limit is None else limit
        if parent is not None:
            rows = self._db.rows(_SQL["of_parent"], (run, parent, after, most))
        elif status is not None:
            rows = self._db.rows(_SQL["of_status"], (run, status.value, after, most))
        else:
            rows = self._db.rows(_SQL["of_run"], (run, after, most))
        return [task_of(row) for row in rows]

    def top_tasks(self, run: str) -> list[Task]:
        return [task_of(row) for row in self._db.rows(_SQL["top"], (run,))]

    def elements(self, parent: int, first: int, limit: int) -> list[Task]:
        return [task_of(row) for row in self._db.rows(_SQL["elements"], (parent, first, limit))]

    def find_task(self, run: str, path: str) -> Task:
        row = self._db.row(_SQL["find"], (run, path))
        if row is None:
            raise no_path(run, path, [r[0] for r in self._db.rows(_SQL["top_paths"], (run,))])
        return task_of(row)

    def edges(self, run: str) -> list[tuple[int, int]]:
        return [(up, down) for up, down in self._db.rows(_SQL["edges"], (run,))]

    def counts(self, run: str) -> dict[int | None, dict[TaskStatus, int]]:
        found: dict[int | None, dict[TaskStatus, int]] = {}
        for parent, status, count in self._db.rows(_SQL["counts"], (run,)):
            found.setdefault(parent, {})[TASK_STATUS[status]] = count
        return found

    def outputs(self, task: int) -> dict[str, ArtifactRef]:
        rows = self._db.rows(_SQL["outputs"], (task,))
        return {row[0]: artifact_of(row, 1) for row in rows}

    def makers(self, digest: str, limit: int) -> list[Task]:
        digits = digest.removeprefix("blake3:")
        low = digits[:12]
        values = {"low": low, "high": low + "g", "hex": digits, "limit": limit}
        return [task_of(row) for row in self._db.rows(_SQL["makers"], values)]

    def artifacts(self, run: str, *, elements: bool = True) -> list[tuple[str, str, ArtifactRef]]:
        rows = self._db.rows(_SQL["artifacts" if elements else "top_artifacts"], (run,))
        return [(row[0], row[1], artifact_of(row, 2)) for row in rows]


class TaskWriter(Writing):
    """Adding tasks, and what a turn asks of them."""

    def add_tasks(self, run: str, tasks: Sequence[NewTask]) -> list[int]:
        owner = self._db.row(_PIPELINE, (run,))
        if owner is None:
            raise no_run(run)
        if not tasks:
            return []
        ids = [row[0] for row in self._db.rows(_SQL["new_ids"], (len(tasks),))]
        self._db.many(_SQL["add"], _task_rows(ids, run, owner, tasks))
        artifacts = [
            row
            for task, new in zip(ids, tasks, strict=True)
            if new.outputs
            for row in artifact_rows(task, new.outputs)
        ]
        if artifacts:
            self._db.many(_SQL["add_artifact"], artifacts)
        return ids

    def add_edges(self, edges: Sequence[tuple[int, int]]) -> None:
        self._db.many(_SQL["add_edge"], edges)

    def task(self, task: int) -> Task:
        row = self._db.row(_SQL["get"], (task,))
        if row is None:
            raise no_task(task)
        return task_of(row)

    def inputs_of(self, task: int) -> dict[str, tuple[str, str]]:
        row = self._db.row(_SQL["inputs"], (task,))
        if row is None:
            raise no_task(task)
        return inputs_of(row[0])

    def upstream(self, task: int) -> dict[str, Upstream]:
        return upstream_of(self._db.rows(_SQL["upstream"], (task,)))

    def tasks_by_path(self, run: str, paths: Sequence[str]) -> dict[str, tuple[int, Upstream]]:
        found: dict[str, tuple[int, Upstream]] = {}
        for path in paths:
            for task, upstream in upstream_of(self._db.rows(_SQL["by_path"], (run, path))).items():
                found[path] = (task, upstream)
        return found

    def child_outputs(
        self, parent: int
    ) -> Iterator[tuple[int, TaskStatus, dict[str, ArtifactRef]]]:
        first = 0  # a map's children are numbered without a gap
        while rows := self._db.rows(_SQL["child_outputs"], (parent, first, first + _PAGE)):
            index = {row[0]: row[-1] for row in rows}
            for task, child in upstream_of(rows).items():
                yield index[task], child.status, child.outputs
            first += _PAGE


def _task_rows(ids: Sequence[int], run: str, owner: Row, tasks: Sequence[NewTask]) -> Iterator[Row]:
    pipeline, created = owner
    texts: dict[Any, str] = {}
    for task, new in zip(ids, tasks, strict=True):
        status = new.status
        yield (
            task,
            run,
            pipeline,
            created,
            new.path,
            new.node,
            new.kind,
            texts.get(status) or texts.setdefault(status, status.value),
            new.pending,
            new.parent,
            new.index,
            new.key,
            new.static,
            seed_text(new.seed),
            json_text(new.inputs) if new.inputs else None,
            new.source,
            new.reason,
            new.at if status in TASK_SETTLED else None,
        )
