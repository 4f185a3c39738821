"""The verb `diff`: everything in which two runs differ, side by side."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from msgspec import DecodeError

from mainspring.app import views
from mainspring.app.environments import environment_of, facts
from mainspring.app.listing import run_view
from mainspring.app.project import Project
from mainspring.app.showing import MOST, finite, first, task_view
from mainspring.planning.explain import differences
from mainspring.records.errors import MainspringError
from mainspring.records.runs import Run
from mainspring.records.source import SourceFile
from mainspring.records.stores import KeyParts

LARGEST_TEXT = 200_000
"""Bytes of a source file whose lines are compared; of a larger one only the digest is."""

LONGEST_DIFF = 2_000
"""Lines of a unified diff of one file."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def compare(project: Project, before: Run, after: Run) -> views.DiffView:
    """Return in what two runs differ; each list is empty where they agree.

    Elements of maps are not listed: they are in their map's counts, and in its output.
    """
    keys = _key_parts(project, before), _key_parts(project, after)
    cut: list[str] = []
    return views.DiffView(
        before=run_view(project, before),
        after=run_view(project, after),
        parameters=list(_changes(before.parameters, after.parameters)),
        sources=list(_changes(_versions(before), _versions(after))),
        source=list(_source(project, before.snapshot, after.snapshot)),
        environment=list(_environment(project, (before, after), keys)),
        tasks=list(_tasks(project, before, after, keys)),
        metrics=first(list(_metrics(project, before.id, after.id)), MOST, "metrics", cut),
        artifacts=first(list(_artifacts(project, before.id, after.id)), MOST, "artifacts", cut),
        cut=cut,
    )


def _pairs(before: Mapping[K, V], after: Mapping[K, V]) -> Iterator[tuple[K, V | None, V | None]]:
    """What is different: in the order of `after`, and then what is only in `before`."""
    for key in [*after, *(key for key in before if key not in after)]:
        old, new = before.get(key), after.get(key)
        if old != new or (key in before) != (key in after):
            yield key, old, new


def _how(name: Hashable, before: Mapping[Any, Any], after: Mapping[Any, Any]) -> str:
    if name not in before:
        return "added"
    return "changed" if name in after else "removed"


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[views.ChangeView]:
    for name, old, new in _pairs(before, after):
        yield views.ChangeView(name=name, how=_how(name, before, after), before=old, after=new)


def _versions(run: Run) -> dict[str, str]:
    return {key: f"{source.version} {source.digest}" for key, source in run.sources.items()}


def _key_parts(project: Project, run: Run) -> dict[str, KeyParts]:
    read = project.store.read
    found = {task.path: read.key_parts(task.id) for task in read.top_tasks(run.id)}
    return {path: parts for path, parts in found.items() if parts is not None}


def _environment(
    project: Project,
    runs: tuple[Run, Run],
    keys: tuple[Mapping[str, KeyParts], Mapping[str, KeyParts]],
) -> Iterator[views.ChangeView]:
    """Packages, and what the records of both runs say of their machines."""
    found = [_packages(parts) for parts in keys]
    with suppress(MainspringError, DecodeError):  # one was not recorded, or is gone
        told = [facts(environment_of(project, run)) for run in runs]
        found = [packages | more for packages, more in zip(found, told, strict=True)]
    yield from _changes(found[0], found[1])


def _packages(parts: Mapping[str, KeyParts]) -> dict[str, str]:
    """What the tasks used of packages and the platform, together."""
    found: dict[str, str] = {}
    for part in parts.values():
        found |= part.static.environment
        found["platform"] = part.static.platform
    return dict(sorted(found.items()))


def _source(project: Project, before: str, after: str) -> Iterator[views.FileDiffView]:
    from mainspring.storage.source import load_manifest

    if before == after:
        return
    files = [
        {file.path: file for file in load_manifest(snapshot, project.blobs).files}
        for snapshot in (before, after)
    ]
    for path, old, new in sorted(_pairs(files[0], files[1]), key=lambda found: found[0]):
        yield views.FileDiffView(
            path=path, how=_how(path, files[0], files[1]), diff=_unified(project, path, old, new)
        )


def _unified(
    project: Project, path: str, before: SourceFile | None, after: SourceFile | None
) -> str | None:
    """A unified diff, or None where a file is no text, or too long."""
    texts: list[list[str]] = []
    for file in (before, after):
        lines = _lines(project, file)
        if lines is None:
            return None
        texts.append(lines)
    names = [f"a/{path}" if before else "/dev/null", f"b/{path}" if after else "/dev/null"]
    lines = list(difflib.unified_diff(texts[0], texts[1], names[0], names[1], lineterm=""))
    if len(lines) > LONGEST_DIFF:
        lines = [*lines[:LONGEST_DIFF], f"… {len(lines) - LONGEST_DIFF:,} more lines"]
    return "".join(f"{line}\n" for line in lines)


def _lines(project: Project, file: SourceFile | None) -> list[str] | None:
    if file is None:
        return []
    if file.size > LARGEST_TEXT:
        return None
    data = project.blobs.read(file.digest)
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return None


def _tasks(
    project: Project,
    before: Run,
    after: Run,
    keys: tuple[Mapping[str, KeyParts], Mapping[str, KeyParts]],
) -> Iterator[views.TaskDiffView]:
    read = project.store.read
    states: list[dict[str, str]] = []
    for run in (before, after):
        counts = read.counts(run.id)
        shown = (task_view(task, counts) for task in read.top_tasks(run.id))
        states.append({task.path: _state(task) for task in shown})
    old_states, new_states = states
    for path in [*new_states, *(path for path in old_states if path not in new_states)]:
        old, new = keys[0].get(path), keys[1].get(path)
        reasons = differences(old, new) if old and new else []
        if reasons or old_states.get(path) != new_states.get(path):
            yield views.TaskDiffView(
                path=path,
                how=_how(path, old_states, new_states),
                before=old_states.get(path),
                after=new_states.get(path),
                differences=reasons,
            )


def _state(task: views.TaskView) -> str:
    """A task's status; a reused result counts as the success that it stands for."""
    status = "succeeded" if task.status == "reused" else task.status
    if task.total is None:
        return status
    done = task.children.get("succeeded", 0) + task.children.get("reused", 0)
    return f"{status}: {done} of {task.total}"


def _metrics(project: Project, before: str, after: str) -> Iterator[views.MetricDiffView]:
    found = [
        {(one.task, one.name): finite(one.last) for one in project.store.read.metrics(run)}
        for run in (before, after)
    ]
    for (task, name), old, new in _pairs(found[0], found[1]):
        how = _how((task, name), found[0], found[1])
        yield views.MetricDiffView(task=task, name=name, how=how, before=old, after=new)


def _artifacts(project: Project, before: str, after: str) -> Iterator[views.ArtifactDiffView]:
    found = [
        {
            (path, name): (ref.digest, ref.format)
            for path, name, ref in project.store.read.artifacts(run, elements=False)
        }
        for run in (before, after)
    ]
    for (task, name), old, new in _pairs(found[0], found[1]):
        yield views.ArtifactDiffView(
            task=task,
            output=name,
            how=_how((task, name), found[0], found[1]),
            before=old[0] if old else None,
            after=new[0] if new else None,
        )
